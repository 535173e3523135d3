"""Run families of ablations: ``eeg ablate fusion rate``."""

import click

from eegdiffusion.commands.ablation_families import FAMILIES, entries
from eegdiffusion.commands.command_line import Choice, Command


def change(document: dict, families: list[str], remove: bool) -> None:
    """Add the rows of families to a parsed ``params.yaml``, or remove them."""
    for family in families:
        added = entries(family, document)
        for section, values in added.items():
            for key, value in values.items():
                document.setdefault(section, {}).pop(key, None)
                if not remove:
                    document[section][key] = value
        for backbone in [] if remove else sorted({value["backbone"] for value in added["latents"].values()}):
            if backbone in document["backbones"] and backbone not in document["matrix"]["backbones"]:
                document["matrix"]["backbones"].append(backbone)


@click.command("ablate", cls=Command)
@click.argument("families", nargs=-1, required=True, metavar="FAMILY...", type=Choice([*FAMILIES, "all"]))
@click.option("--remove", is_flag=True, help="Take the families out of params.yaml.")
@click.option("--no-run", is_flag=True, help="Change params.yaml only.")
def command(families: tuple[str, ...], remove: bool, no_run: bool) -> int:
    """Run families of ablations: pretraining, noise, step, latents, codec, layers, fusion, rate, channels, or all.

    Puts the rows of the families into params.yaml (sections ablations, lft_tests and latents), and runs `dvc repro`,
    which trains or tests what is new and adds a table for each family to the report.
    """
    from eegdiffusion.commands.params_file import edit

    with edit() as document:
        change(document, list(FAMILIES) if "all" in families else list(families), remove)
    if no_run:
        return 0
    from eegdiffusion.commands import dvc_repro

    with dvc_repro.alone() as lock:
        return dvc_repro.repro(lock)
