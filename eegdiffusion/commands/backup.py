"""Back up what no stage can make again, and put it back: ``eeg backup`` and ``eeg restore``."""

import sys
from pathlib import Path

import click

from eegdiffusion.commands.command_line import PATH, Command
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say


@click.command("backup", cls=Command)
@click.argument("folder", type=PATH)
def backup(folder: Path) -> None:
    """Copy MLflow's store, Airflow's database and DVC's remote to FOLDER, with the SHA-256 of every file.

    Servers may run meanwhile: of a database the copy is of one moment. What lies on other machines is named, and backed
    up there. Code, settings and dvc.lock are git's; signing keys are not copied. FOLDER must be new or empty.
    """
    _refuse_filled(folder)
    from eegdiffusion.operations.backup.backed_up_stores import stores
    from eegdiffusion.operations.backup.backup_folder import write_backup

    manifest = write_backup(folder, stores(), Path.cwd())
    for name, why in manifest["left_out"].items():
        say(f"{name}: left out: {why}", stream=sys.stderr)
    listed = ", ".join(manifest["stores"]) or "nothing"
    say(f"{folder}: {listed}; {len(manifest['sha256'])} files")


def _refuse_filled(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: must be new or an empty folder")


@click.command("restore", cls=Command)
@click.argument("folder", type=PATH)
@click.argument("stores", nargs=-1)
def restore(folder: Path, stores: tuple[str, ...]) -> None:
    """Put STORES (mlflow, airflow, dvc-NAME; default: all) of a backup in FOLDER back in their places.

    Every file is checked first. What is in a place stays beside it, as NAME.before-TIME. End MLflow and Airflow before.
    """
    if not (folder / "backup.json").is_file():
        raise InputError(f"{folder}: is no complete backup of `eeg backup`: there is no backup.json")
    from eegdiffusion.operations.backup.backup_folder import restore_backup

    for name, place, former in restore_backup(folder, stores):
        say(f"{name}: {place}" + (f"; what was there is now {former}" if former else ""))
