"""Run families of ablations: ``python -m eegdiffusion.commands.ablate fusion rate``.

Puts the rows of the families into ``params.yaml`` (sections ``ablations`` and ``latents``), and runs ``dvc repro``,
which trains what is new and adds a table for each family to the report. ``--remove`` takes the rows out again.
"""

import argparse
import subprocess
import sys

from eegdiffusion.commands.ablation_families import FAMILIES, entries
from eegdiffusion.commands.params_file import edit
from eegdiffusion.core.runtime.errors import InputError


def change(document: dict, families: list[str], remove: bool) -> None:
    """Add the rows of families to a parsed ``params.yaml``, or remove them."""
    for family in families:
        rows, latents = entries(family, document)
        for section, added in (("ablations", rows), ("latents", latents)):
            for key, value in added.items():
                document[section].pop(key, None)
                if not remove:
                    document[section][key] = value
        for backbone in {value["backbone"] for value in latents.values()}:
            if backbone in document["backbones"] and backbone not in document["matrix"]["backbones"]:
                document["matrix"]["backbones"].append(backbone)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m eegdiffusion.commands.ablate", description=__doc__)
    parser.add_argument("families", nargs="+", choices=[*FAMILIES, "all"], metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--remove", action="store_true", help="take the families out of params.yaml")
    parser.add_argument("--no-run", action="store_true", help="change params.yaml only")
    arguments = parser.parse_args(argv)
    families = list(FAMILIES) if "all" in arguments.families else arguments.families
    try:
        with edit() as document:
            change(document, families, arguments.remove)
    except InputError as error:
        parser.error(str(error))
    if not arguments.no_run:
        raise SystemExit(subprocess.call([sys.executable, "-m", "dvc", "repro"]))


if __name__ == "__main__":
    main()
