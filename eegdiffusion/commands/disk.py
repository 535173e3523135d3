"""What lies where on the disk: ``eeg disk``."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from eegdiffusion.commands.command_line import Command
from eegdiffusion.core.runtime.printable import say

Seen = set[tuple[int, int]]
"""Device and number of the files that were counted: a file with several names lies on the disk once."""

PLACES = {
    "corpora": ("data/raw",),
    "stages' outputs": ("data", "models", "reports"),
    "unfinished stages": (".work",),
    "runs' workspaces": ("runs",),
    "MLflow": ("mlruns",),
    "Airflow": (".airflow",),
    "environment": (".venv",),
}
"""What lies in the clone, and where; what lies in several of them is counted with the innermost."""


@dataclass(frozen=True)
class Usage:
    """What lies in a place.

    Attributes:
        files: number of files, those of an earlier place too.
        own: bytes on the disk of files that lie in no earlier place.
        shared: bytes of files that lie in an earlier place too, as hard links.
        links: number of symbolic links, which take no place themselves.
    """

    files: int = 0
    own: int = 0
    shared: int = 0
    links: int = 0


def usage_of(folders: Iterable[Path], seen: Seen, apart: Iterable[Path] = ()) -> Usage:
    """Measure folders and files; those that are not there count as empty, and links are not followed.

    Args:
        folders: folders and files.
        seen: files that were counted before, to which these are added.
        apart: folders below them that are left out, as they are places of their own.
    """
    files = own = shared = links = 0
    for status in _statuses(folders, {path.absolute() for path in apart}):
        if stat.S_ISLNK(status.st_mode):
            links += 1
            continue
        files, key, size = files + 1, (status.st_dev, status.st_ino), status.st_blocks * 512
        if key in seen:
            shared += size
        else:
            own += size
            seen.add(key)
    return Usage(files, own, shared, links)


def _statuses(folders: Iterable[Path], apart: set[Path]) -> Iterator[os.stat_result]:
    """Yield the status of each file and link below folders; what vanishes meanwhile or may not be read is left out."""
    waiting = [path.absolute() for path in folders]
    while waiting:
        path = waiting.pop()
        try:
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode):
                yield status
            elif path not in apart:
                waiting += [Path(entry.path) for entry in os.scandir(path)]
        except OSError:
            continue


def places() -> dict[str, list[Path]]:
    """Return what ``eeg disk`` measures: the clone's places, DVC's cache, and a remote in a folder."""
    from dvc.repo import Repo

    named = {name: [Path(part) for part in parts] for name, parts in PLACES.items()}
    with Repo() as repo:
        named["DVC's cache"] = [Path(repo.cache.local_cache_dir or ".dvc/cache")]
        remotes = repo.config["remote"].values()
        urls = [remote["url"] for remote in remotes if "://" not in remote["url"]]
    named["DVC's remote"] = [Path(url) for url in urls]
    return named


def readable(size: int) -> str:
    """Return a number of bytes in words, ``1.5 GB``."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB", "PB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"


@click.command("disk", cls=Command)
def command() -> None:
    """Say what lies where: corpora, outputs, DVC's cache and remote, unfinished stages, runs, MLflow, links."""
    import shutil

    from tabulate import tabulate

    named, seen = places(), Seen()
    every, rows = [path for paths in named.values() for path in paths], []
    for name, paths in named.items():
        usage = usage_of(paths, seen, (path for path in every if path not in paths))
        where = ", ".join(map(str, paths)) or "-"
        rows.append((name, where, usage.files, readable(usage.own), readable(usage.shared), usage.links))
    columns = ("what", "where", "files", "on the disk", "shared with the above", "links")
    say(*tabulate(rows, columns, disable_numparse=True).splitlines())
    say(f"{readable(shutil.disk_usage('.').free)} are free.")
