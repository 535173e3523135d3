"""Gate the challengers of the registry; ``--rollback MODEL`` takes one back."""

import argparse

from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.errors import EXIT_NOTHING_TO_DO
from eegdiffusion.operations.registry.champion import RegisteredModel
from eegdiffusion.operations.registry.registry_config import select_models


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eegdiffusion.commands.promote", description=__doc__)
    parser.add_argument("models", nargs="*", help="of mlflow/registry.yaml (default: all)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--propose", action="store_true", help="move no alias; exit status 99 when no challenger passes")
    how.add_argument("--approved", action="store_true", help="promote only what --propose found good")
    how.add_argument("--rollback", metavar="MODEL", help="give the alias back to the former champion")
    how.add_argument("--retire", metavar="MODEL", help="take the alias away: the next challenger meets the floor only")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    if arguments.rollback:
        (name,) = select_models([arguments.rollback])
        champion, former = RegisteredModel(name).roll_back()
        print(f"{name}: version {former.version} is champion again; version {champion.version} was rolled back")
        return 0
    if arguments.retire:
        (name,) = select_models([arguments.retire])
        print(f"{name}: version {RegisteredModel(name).retire().version} is champion no more")
        return 0
    mode = "propose" if arguments.propose else "approved" if arguments.approved else "promote"
    verb = "proposed" if arguments.propose else "promoted"
    passed = 0
    for name, entry in select_models(arguments.models).items():
        decision = RegisteredModel(name).challenge(entry, mode)
        passed += decision.passed
        print(f"{name}: {verb if decision.passed else 'kept'}: {decision.reason}")
    return EXIT_NOTHING_TO_DO if arguments.propose and not passed else 0


if __name__ == "__main__":
    shell.run("promote", main)
