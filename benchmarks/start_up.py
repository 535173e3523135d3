"""What starting costs: CPU seconds of a process from its start until it begins with its work.

``python -m benchmarks start-up`` writes ``benchmarks/start_up.md``. A stage is stopped twice: at the first line of its
``main``, and where all modules that it computes with are loaded; ``eeg predict`` where it opens the recording. What is
counted is the processor's time of the process, user and system, as wall time says little on a machine with other work;
such work makes it more, too, as cores are shared and caches are lost: all rows are taken in turn, and repeated.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

TABLE = Path(__file__).with_name("start_up.md")
ROUNDS = 5

STAGES = {
    "ingest_events": ("--corpus", "tuev"),
    "preprocess_events": ("--corpus", "tuev"),
    "ingest_images": ("--corpus", "things"),
    "cache_latents": ("--latents", "base"),
    "embed_images": ("--corpus", "things"),
    "pretrain_ssmdp": ("--backbone", "base"),
    "finetune_lft": ("--labels", "recorded", "--seed", "0"),
    "ablate_lft": ("--row", "fusion_mean"),
    "probe_latents": ("--latents", "base"),
    "probe_tasks": ("--task", "blink"),
    "finetune_tasks": ("--task", "blink"),
    "test_lft": ("--row", "rate_190_Hz_physical_convention"),
    "train_baselines": ("--baseline", "sparcnet"),
    "train_eeg_encoder": ("--encoder", "aligned"),
    "prepare_generator": ("--corpus", "things"),
    "train_structural_vae": ("--study", "things"),
    "train_condiffusion": ("--study", "classes"),
    "train_controlnet": ("--study", "things"),
    "reconstruct_sgdm": ("--study", "things"),
    "reconstruct_condiffusion": ("--study", "classes"),
    "report": (),
}
"""Stages and arguments of one of their items."""

BARS = {
    "ingest_events": 1.5,
    "preprocess_events": 1.5,
    "ingest_images": 1.5,
    "cache_latents": 4.0,
    "embed_images": 4.0,
    "pretrain_ssmdp": 7.0,
    "finetune_lft": 7.0,
    "ablate_lft": 7.0,
    "train_baselines": 8.5,
    "train_eeg_encoder": 8.5,
    "prepare_generator": 8.5,
    "train_structural_vae": 8.5,
    "train_condiffusion": 8.5,
    "train_controlnet": 8.5,
}
"""Most CPU seconds; other stages have none."""

BEFORE = {
    "ingest_events": 0.6,
    "ingest_images": 2.0,
    "cache_latents": 6.1,
    "finetune_lft": 8.3,
    "report": 8.3,
    "train_condiffusion": 10.3,
    "predict recording": 7.6,
}
"""CPU seconds to the first line of ``main`` at revision 70886f4, measured earlier, on another day of the machine."""

REFUSAL_BAR, HELP_BAR, PREDICT_BAR = 1.0, 0.5, 4.0

UNTIL_MAIN = """
import os, runpy, sys
from eegdiffusion.core.runtime import stage as runtime
decorated = runtime.stage
runtime.stage = lambda name: lambda main: decorated(name)(lambda run: os._exit(0))
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""

_STOP_WHERE_LOADED = """
import contextlib, os, runpy, sys
from eegdiffusion.core.runtime import loading
whole = loading.loading_modules
@contextlib.contextmanager
def loading_modules():
    with whole():
        yield
    os._exit(0)
loading.loading_modules = loading_modules
"""

UNTIL_LOADED = f"""{_STOP_WHERE_LOADED}
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""

UNTIL_MODEL = f"""{_STOP_WHERE_LOADED}
from eegdiffusion.commands.app import main
main()
"""

UNTIL_RECORDING = """
import os, sys
recording = sys.argv[2]
def stop(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)) and str(arguments[0]) == recording:
        os._exit(0)
sys.addaudithook(stop)
from eegdiffusion.commands.app import main
main()
"""

COMMANDS = (
    "predict", "evaluate", "generate", "serve", "repro", "params set", "ablate", "register", "promote", "reproduce",
    "import-checkpoint", "score", "operating-points", "mlflow", "airflow", "surrogate tuev", "surrogate things",
    "lineage", "data-card", "crate", "openlineage", "plan", "adapt", "backup", "restore",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A process that is started to be stopped.

    Attributes:
        words: what follows the interpreter.
        status: exit status of it.
        environment: variables beside those of this process.
    """

    words: Sequence[str]
    status: int = 0
    environment: dict[str, str] | None = None


def cpu_seconds(case: Case) -> float:
    """Run a process and return its CPU seconds, user and system.

    Raises:
        RuntimeError: it ended with another status, and so somewhere else.
    """
    process = subprocess.Popen(
        [sys.executable, *case.words],
        env=os.environ | (case.environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    errors = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != case.status:
        raise RuntimeError(f"{' '.join(case.words)}: exit status {process.returncode}\n{errors}")
    return usage.ru_utime + usage.ru_stime


def measure(cases: dict[str, Case], rounds: int = ROUNDS) -> dict[str, float]:
    """Return the median CPU seconds of each case; all are taken in turn, after a first round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            spent = cpu_seconds(case)
            if number:
                seconds[name].append(spent)
    return {name: median(values) for name, values in seconds.items()}


def stage_cases() -> dict[str, Case]:
    """Return two cases a stage: ``<stage> main`` and ``<stage> loaded``."""
    cases = {}
    for name, arguments in STAGES.items():
        for point, code in (("main", UNTIL_MAIN), ("loaded", UNTIL_LOADED)):
            cases[f"{name} {point}"] = Case(["-c", code, f"components.{name}", *arguments])
    return cases


def refusal_cases() -> dict[str, Case]:
    """Return a case for each stage and command that is given an argument that it does not have."""
    cases = {f"{name} --unknown": Case(["-m", f"components.{name}", "--unknown"], status=2) for name in STAGES}
    for name in COMMANDS:
        cases[f"eeg {name} --unknown"] = Case(["-m", "eegdiffusion.commands", *name.split(), "--unknown"], status=2)
    return cases


def predict_cases(folder: Path) -> dict[str, Case]:
    """Return the cases of ``eeg predict``, until it opens the recording and until it has a tiny registered model."""
    from tests.predict import tiny_model

    uri, model = tiny_model.register(folder)
    words = ["predict", str(tiny_model.EDF), "--model", model, "--out", str(folder / "e.csv")]
    variables = {"MLFLOW_TRACKING_URI": uri}
    return {
        "predict recording": Case(["-c", UNTIL_RECORDING, *words], environment=variables),
        "predict model": Case(["-c", UNTIL_MODEL, *words], environment=variables),
    }


def _row(name: str, bar: float | None, before: float | None, *seconds: float) -> str:
    cells = [
        name,
        *("" if value is None else f"{value:g}" for value in (bar, before)),
        *(f"{value:.2f}" for value in seconds),
    ]
    return f"| {' | '.join(cells)} |"


def text(seconds: dict[str, float], machine: str) -> str:
    """Return the page of the results of :func:`measure`."""
    stages = [_row(f"`{n}`", BARS.get(n), BEFORE.get(n), seconds[f"{n} main"], seconds[f"{n} loaded"]) for n in STAGES]
    slowest = max((name for name in seconds if name.endswith("--unknown")), key=lambda name: seconds[name])
    rows = [
        _row("`eeg --help`", HELP_BAR, None, seconds["eeg --help"]),
        _row(
            f"an unknown argument, the slowest of all stages and commands: `{slowest}`",
            REFUSAL_BAR,
            None,
            seconds[slowest],
        ),
        _row(
            "`eeg predict` until it opens the recording",
            PREDICT_BAR,
            BEFORE["predict recording"],
            seconds["predict recording"],
        ),
        _row("`eeg predict` until it has the model, of a local store", None, None, seconds["predict model"]),
    ]
    return f"""# Start-up

Written by `python -m benchmarks start-up` on {date.today()}: {machine}.
CPU seconds (user and system) from the start of the process, medians of {ROUNDS}. A stage's arguments have been checked
at the first line of its `main`; it begins once all modules that it uses are loaded, those that draw and publish too.
`before` is the first line of `main` at revision 70886f4, on another day; all modules were loaded by then.

| stage | bar | before | first line of `main` | all modules loaded |
|---|--:|--:|--:|--:|
{chr(10).join(stages)}

| command | bar | before | seconds |
|---|--:|--:|--:|
{chr(10).join(rows)}
"""


def main() -> None:
    """Measure all cases and write the page."""
    from benchmarks.__main__ import machine

    with tempfile.TemporaryDirectory() as folder:
        cases = stage_cases() | refusal_cases()
        cases["eeg --help"] = Case(["-m", "eegdiffusion.commands", "--help"])
        cases |= predict_cases(Path(folder))
        TABLE.write_text(text(measure(cases), machine()))
    print(TABLE.read_text())
