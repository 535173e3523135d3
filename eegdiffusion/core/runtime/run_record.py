"""When, where and from which code a stage made its outputs: a small file that DVC does not know.

It lies beside the models, in ``models/runs/stages``, and not in the outputs, whose hashes it would change. It carries
a signature of the outputs, so that results that came from elsewhere (``dvc pull``) are not taken for those of the run.
"""

import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from eegdiffusion.core.runtime.allotment import available_cores
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.git_repository import checked_out_revision
from eegdiffusion.core.runtime.resource_use import ResourceUse, resource_use

RECORDS = Path("models/runs/stages")

READ_WHOLE = 65536
"""Largest number of bytes of a file whose content the signature holds; of larger ones it holds name and size."""


@dataclass(frozen=True)
class RunRecord:
    """A run of a stage that succeeded.

    Attributes:
        stage: name of the stage.
        item: values of its arguments, joined by ``-``; empty for a stage without.
        ended: when it ended, ISO 8601 in UTC.
        seconds: how long it ran; after an interruption, since it was taken up again.
        revision: git commit, followed by ``-dirty`` where code or settings were changed; None without git.
        machine: name, processor, cores, memory and GPU.
        outputs: path -> signature, see :func:`signature`.
        used: CPU time, memory and bytes; None in records of earlier versions.
    """

    stage: str
    item: str
    ended: str
    seconds: float
    revision: str | None
    machine: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    used: ResourceUse | None = None

    def is_of_outputs(self) -> bool:
        """Whether the outputs that lie there now are those that the run left."""
        return all(Path(path).exists() and signature(Path(path)) == was for path, was in self.outputs.items())


def signature(path: Path) -> str:
    """Return a SHA-256 that tells results apart quickly: of names and sizes, and of the content of small files."""
    total = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file()):
        size = file.stat().st_size
        total.update(f"{file.relative_to(path).as_posix()}\0{size}\0".encode())
        if size <= READ_WHOLE:
            total.update(file.read_bytes())
    return total.hexdigest()


def _revision() -> str | None:
    """Return the commit of the working folder; None where git does not say it."""
    try:
        return checked_out_revision() or None
    except InputError:  # what a stage has made is not lost for that
        return None


def machine() -> str:
    """Describe this machine: name, processor, cores that may be used, memory, and GPUs that the process has used."""
    parts = [platform.node() or "unnamed", _processor(), _cores(available_cores()), _memory(), *_gpus()]
    return ", ".join(part for part in parts if part)


def _cores(number: int) -> str:
    return "1 core" if number == 1 else f"{number} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] != "unknown" else platform.machine()


def _memory() -> str:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return f"{int(lines[0].split()[1]) / 2**20:.0f} GiB of memory"
    except (OSError, ValueError, IndexError):
        return ""


def _gpus() -> list[str]:
    torch = sys.modules.get("torch")  # a stage without torch uses no GPU, and should not load it to say so
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return []
    return [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]


def record_path(stage: str, item: str, root: Path = RECORDS) -> Path:
    """Return the file of the record of a stage's item."""
    return root / stage / f"{item or 'stage'}.json"


def write_record(stage: str, item: Sequence[object], began: float, ended: float, outputs: Iterable[Path]) -> None:
    """Write the record of a run that has just succeeded.

    Args:
        stage: name of the stage.
        item: values of its arguments.
        began: when it began, in seconds since the epoch.
        ended: when it ended.
        outputs: what it wrote.
    """
    record = RunRecord(
        stage=stage,
        item="-".join(map(str, item)),
        ended=datetime.fromtimestamp(ended, UTC).isoformat(timespec="seconds"),
        seconds=round(ended - began, 1),
        revision=_revision(),
        machine=machine(),
        outputs={path.as_posix(): signature(path) for path in outputs},
        used=resource_use(),
    )
    path = record_path(stage, record.item)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(record), indent=2))


def _read(path: Path) -> RunRecord:
    fields = json.loads(path.read_text())
    used = fields.pop("used", None)
    return RunRecord(**fields, used=used and ResourceUse(**used))


def read_records(root: Path = RECORDS) -> list[RunRecord]:
    """Read the records of the runs whose outputs still lie there, in the order in which they ended.

    Of several of one stage and item, as of a run in the repository and one in a workspace, the last counts.
    """
    records = [_read(path) for path in sorted(root.glob("*/*.json"))]
    ordered = sorted((record for record in records if record.is_of_outputs()), key=lambda record: record.ended)
    last = {(record.stage, record.item): record for record in ordered}
    return [record for record in ordered if last[record.stage, record.item] is record]
