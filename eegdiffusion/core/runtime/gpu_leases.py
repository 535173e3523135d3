"""Leases of the GPUs of a machine: whatever starts stages takes free GPUs from one list, and no stage sees another's.

A lease is a shared lock (``flock``) on a file of a folder, one file for each GPU. The kernel drops the lock when the
last process that holds it ends, however it ends; further processes of the same stage, ranks of a distributed training
or a container, join the lease, and it lasts as long as one of them. Who waits stands in a queue, and is served in turn.

The standard library alone: Airflow's scheduler, which has no package of this project, loads this file by its path.
"""

import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LISTED = "EEG_GPUS"
"""Environment variable with the ids of the GPUs that stages may be given, e.g. ``0,1``; empty: none."""

FOLDER = "EEG_GPU_LEASES"
"""Environment variable with the folder of the leases, where several clones share a machine's GPUs."""

LEASED = "EEG_LEASED_GPUS"
"""Environment variable of a process that was given its GPUs: their ids; empty where a cluster has given them."""

VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"

BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Names a running kernel, in its containers too: machines that share a folder have GPUs of their own."""

POLL_S = 0.5
"""Seconds between two looks at the list of one who waits."""


def listed_gpus(variables: Mapping[str, str] = os.environ) -> list[str]:
    """Return the ids of the GPUs that stages on this machine may be given.

    Those of ``EEG_GPUS``; where it is not set those of ``CUDA_VISIBLE_DEVICES``, by which a scheduler of a cluster says
    what is a job's; else all that NVIDIA's driver has, by their number.

    Args:
        variables: environment variables.
    """
    for name in (LISTED, VISIBLE):
        if name in variables:
            ids = dict.fromkeys(word.strip() for word in variables[name].split(","))
            return [word for word in ids if word and (name, word) != (VISIBLE, "-1")]
    return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


def leases_folder(variables: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of this machine's leases: of ``EEG_GPU_LEASES``, else ``.gpus`` of the folder of runs.

    Args:
        variables: environment variables; ``EEG_RUNS`` and ``EEG_REPOSITORY`` say where runs are, by default ``runs``.
    """
    runs = variables.get("EEG_RUNS") or Path(variables.get("EEG_REPOSITORY") or Path.cwd(), "runs")
    root = Path(variables.get(FOLDER) or Path(runs, ".gpus"))
    try:
        return root / BOOT.read_text().strip()
    except OSError:
        return root


@dataclass(frozen=True)
class Lease:
    """GPUs that are this process's until it ends, or closes the lease.

    Attributes:
        ids: ids of the GPUs.
        waited_s: seconds that it was waited for.
    """

    ids: tuple[str, ...]
    waited_s: float
    _files: ExitStack

    def close(self) -> None:
        """Give this process's share of the GPUs back."""
        self._files.close()


def take(
    count: int,
    ids: Sequence[str],
    folder: Path,
    owner: str,
    tell: Callable[[str], object],
    busy: Callable[[], Collection[str]] = tuple,
) -> Lease:
    """Take GPUs from the list; wait for them, in the order in which processes have asked.

    Args:
        count: number of GPUs; they are taken at once, so that no two wait for each other's. Of none there is no wait.
        ids: the list.
        folder: folder of the leases.
        owner: what they are for, of whom others are told that wait.
        tell: takes a line about the wait when it begins.
        busy: returns ids that are in use beside the leases.

    Raises:
        ValueError: the list is shorter than what is asked for.
    """
    if count > len(ids):
        raise ValueError(f"{count} GPUs were asked for, and the list has {len(ids)}: {', '.join(ids) or 'none'}")
    if not count:
        return Lease((), 0.0, ExitStack())
    began, is_told = time.monotonic(), False
    with _queued(folder) as ticket:
        while True:
            with _exclusive(folder):
                before = _tickets_before(ticket)
                taken = set() if before else set(busy())
                files = None if before else _lock_free(count, [name for name in ids if name not in taken], folder)
                if files is not None:
                    return _leased(files, owner, time.monotonic() - began)
                line = _about_wait(count, ids, folder, before)
            if not is_told:
                tell(line)
                is_told = True
            time.sleep(POLL_S)


def join(ids: Sequence[str], folder: Path) -> Lease:
    """Take part in a lease that another process of the same stage has: it lasts until both have ended.

    Args:
        ids: ids of the GPUs.
        folder: folder of the leases; where it has no file of a GPU, this process cannot hold on to it.
    """
    held = ExitStack()
    for name in ids:
        with suppress(OSError):
            file = _file_of(name, folder).open()
            held.callback(file.close)
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return Lease(tuple(ids), 0.0, held)


@contextmanager
def leased_to_this_process(count: int, owner: str, tell: Callable[[str], object]) -> Iterator[tuple[str, ...]]:
    """Hold GPUs within the block, which are all that CUDA shows to this process and its children.

    Nothing is taken where an orchestrator has given the process its devices (``EEG_LEASED_GPUS``: it joins the lease),
    where a launcher has started several processes and says to each which device is its, and where there are no GPUs.

    Args:
        count: number of GPUs.
        owner: what they are for.
        tell: takes a line about a wait, when it begins and when it ends.

    Yields:
        the ids of the GPUs; none where none was taken.

    Raises:
        ValueError: the list is shorter than what is asked for.
    """
    ids = listed_gpus()
    if LEASED in os.environ:
        given = [name for name in os.environ[LEASED].split(",") if name]
        lease = join(given, leases_folder())
        try:
            yield lease.ids
        finally:
            lease.close()
        return
    if _is_one_of_several() or not ids:
        yield ()
        return
    lease = take(count, ids, leases_folder(), owner, tell)
    if lease.waited_s >= POLL_S:
        tell(f"has waited {lease.waited_s:.0f} s, and has GPU {', '.join(lease.ids)}")
    chosen = ",".join(lease.ids)
    before = {name: os.environ.get(name) for name in (LEASED, VISIBLE, ORDER)}
    # By the bus, as the driver and nvidia-smi number them; CUDA itself begins with the fastest.
    os.environ.update({LEASED: chosen, VISIBLE: chosen, ORDER: before[ORDER] or "PCI_BUS_ID"})
    try:
        yield lease.ids
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        lease.close()


def _is_one_of_several() -> bool:
    """Whether torchrun or Slurm has started this process as one of several."""
    sizes = (os.environ.get(name, "") for name in ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS"))
    return any(size.isdecimal() and int(size) > 1 for size in sizes)


def _file_of(name: str, folder: Path) -> Path:
    return folder / f"gpu-{re.sub('[^A-Za-z0-9.-]', '_', name)}"


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Be the one process that reads or changes the list."""
    with (folder / "list").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lock_alone(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_free(count: int, ids: Sequence[str], folder: Path) -> dict[str, IO[str]] | None:
    """Lock the files of free GPUs; return them by id, or None where fewer are free than are wanted."""
    files: dict[str, IO[str]] = {}
    for name in ids:
        if len(files) == count:
            break
        file: IO[str] = _file_of(name, folder).open("a+")
        if _lock_alone(file):
            files[name] = file
        else:
            file.close()
    if len(files) == count:
        return files
    for file in files.values():
        file.close()
    return None


def _leased(files: Mapping[str, IO[str]], owner: str, waited_s: float) -> Lease:
    """Write into locked files whose they are, and let the processes of the same stage lock them too."""
    held = ExitStack()
    for file in files.values():
        held.callback(file.close)
        file.truncate(0)
        json.dump({"owner": owner, "process": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}, file)
        file.flush()
        fcntl.flock(file, fcntl.LOCK_SH)
    return Lease(tuple(files), waited_s, held)


@contextmanager
def _queued(folder: Path) -> Iterator[Path]:
    """Stand in the queue within the block; a place whose process has died is nobody's."""
    queue = folder / "queue"
    queue.mkdir(parents=True, exist_ok=True)
    with ExitStack() as place:
        with _exclusive(folder):
            ticket = queue / f"{time.time_ns():020}-{os.getpid()}"
            file = place.enter_context(ticket.open("a"))
            fcntl.flock(file, fcntl.LOCK_EX)
        place.callback(ticket.unlink, missing_ok=True)
        yield ticket


def _tickets_before(ticket: Path) -> int:
    """Count the living processes that have waited for longer, and remove the places of dead ones."""
    living = 0
    for other in sorted(ticket.parent.iterdir()):
        if other.name >= ticket.name:
            break
        with suppress(FileNotFoundError), other.open() as file:
            if _lock_alone(file):
                other.unlink(missing_ok=True)
            else:
                living += 1
    return living


def _about_wait(count: int, ids: Sequence[str], folder: Path, before: int) -> str:
    """Return the line about a wait: for what, who has it, and how many have waited for longer."""
    holders = []
    for name in ids:
        with suppress(OSError, ValueError), _file_of(name, folder).open() as record:
            if not _lock_alone(record):
                owner = json.load(record)
                holders.append(f"{name}: {owner['owner']}, process {owner['process']}, since {owner['since']}")
    others = f"; {before} asked earlier" if before else ""
    held = f" ({'; '.join(holders)})" if holders else ""
    return f"waits for {count} of the GPUs {', '.join(ids)}{held}{others}"
