"""Gate the challengers of the registry: ``eeg promote``."""

import sys
from pathlib import Path
from typing import Literal

import click

from eegdiffusion.commands.command_line import Command
from eegdiffusion.commands.registered_models import unsigned_option
from eegdiffusion.core.runtime.printable import say

PAGE = "reports/report.html"


@click.command("promote", cls=Command)
@click.argument("models", nargs=-1)
@click.option("--propose", is_flag=True, help="Move no alias; exit status 99 when no challenger passes.")
@click.option("--approved", is_flag=True, help="Promote only what --propose found good.")
@click.option("--rollback", metavar="MODEL", help="Give the alias back to the former champion.")
@click.option("--retire", metavar="MODEL", help="Take the alias away: the next challenger meets the floor only.")
@unsigned_option
def command(
    models: tuple[str, ...], propose: bool, approved: bool, rollback: str | None, retire: str | None, unsigned: bool
) -> int:
    """Let the challengers of MODELS (of mlflow/registry.yaml; default: all) that pass the gate become champions."""
    if sum(map(bool, (propose, approved, rollback, retire))) > 1:
        raise click.UsageError("--propose, --approved, --rollback and --retire exclude each other")

    from eegdiffusion.core.runtime.errors import EXIT_NOTHING_TO_DO
    from eegdiffusion.operations.registry.registry_config import select_models

    select_models([*models, *filter(None, (rollback, retire))])  # before MLflow is loaded, which takes seconds

    from eegdiffusion.operations.registry.champion import RegisteredModel

    if rollback:
        (name,) = select_models([rollback])
        champion, former = RegisteredModel(name).roll_back(unsigned)
        changed = RegisteredModel(name).keep_predictions(unsigned)
        say(f"{name}: version {former.version} is champion again; version {champion.version} was rolled back")
        return _show_champion(changed)
    if retire:
        (name,) = select_models([retire])
        say(f"{name}: version {RegisteredModel(name).retire().version} is champion no more")
        return _show_champion(RegisteredModel(name).keep_predictions(unsigned))
    mode: Literal["promote", "propose", "approved"] = "propose" if propose else "approved" if approved else "promote"
    verb = "proposed" if propose else "promoted"
    passed, changed = 0, False
    for name, entry in select_models(list(models)).items():
        decision = RegisteredModel(name).challenge(entry, mode, unsigned)
        if not propose:
            changed |= RegisteredModel(name).keep_predictions(unsigned)
        passed += decision.passed
        say(f"{name}: {verb if decision.passed else 'kept'}: {decision.reason}")
    return EXIT_NOTHING_TO_DO if propose and not passed else _show_champion(changed)


def _show_champion(changed: bool) -> int:
    """Write the report anew where there is one and the champion that it compares with has changed; return 0.

    A report that cannot be written does not undo what the registry has done.
    """
    if changed and Path(PAGE).is_file():
        from eegdiffusion.commands import dvc_repro

        say(f"{PAGE}: is written anew, with another champion to compare with")
        with dvc_repro.alone() as lock:
            if dvc_repro.repro(lock, "--single-item", "--force", "report"):
                say(f"{PAGE}: could not be written; the registry is as said above", stream=sys.stderr)
    return 0
