"""The README's tables of scores, of ``reports/metrics.json``: systems beside what the papers print, and real tasks.

``python docs/hooks/demo_scores.py`` puts the tables into README.md after the demo has run.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

BEGIN, END = "<!-- scores: made from reports/metrics.json by `make docs` -->", "<!-- end of scores -->"
TASKS_BEGIN = "<!-- real tasks: made from reports/metrics.json by `make docs` -->"
TASKS_END = "<!-- end of real tasks -->"
PUBLISHED = "eegdiffusion/report/published.yaml"
NONE = "–"


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        system: what is scored, with its source.
        score: the score's name, with chance where it has one.
        metric: its name in ``reports/metrics.json``, mean over seeds.
        paper: where the papers' number stands in ``published.yaml``, by keys, and its factor.
        protocol: what the papers' number is measured on.
    """

    system: str
    score: str
    metric: str
    paper: tuple[str | int, ...]
    factor: float
    protocol: str


ROWS = (
    Row("SSMDP + LFT (EEGDM, arXiv:2508.14086)", "kappa", "lft_cohen_kappa_mean",
        ("models", "EEGDM", "cohen_kappa", 0), 1, "TUEV"),
    Row("SPaRCNet (PyHealth)", "kappa", "sparcnet_cohen_kappa_mean", ("models", "SPaRCNet", "cohen_kappa", 0), 1,
        "TUEV, 16 channels"),
    Row("ContraWR (PyHealth)", "kappa", "contrawr_cohen_kappa_mean", ("models", "ContraWR", "cohen_kappa", 0), 1,
        "TUEV, 16 channels"),
    Row("control: LFT on shuffled labels", "kappa", "lft_shuffled_labels_cohen_kappa_mean", (), 1, ""),
    Row("EEG encoder aligned with images (NICE, ATM, SGDM)", "top-5 of 20, chance 0.25", "eeg_aligned_joint_top5",
        ("retrieval", "ATM", "within", 1), 0.01, "ATM, THINGS-EEG2, top-5 of 200, chance 0.025"),
    Row("EEGConvNet (Brain Sciences 2024, 14, 478)", "accuracy, 10 classes", "eeg_eegconvnet_joint_accuracy",
        ("classification", "5–95 Hz", "EEGConvNet", 6, 0), 0.01, "EEGCVPR40, 40 classes shown in blocks"),
    Row("EEG-ConDiffusion, which is conditioned on it", "two-way identification, chance 0.5",
        "images_classes_condiffusion_lite0", (), 1, "prints none"),
    Row("control: EEG-ConDiffusion with the EEG of another image", "two-way identification, chance 0.5",
        "images_classes_condiffusion_shuffled_lite0", (), 1, ""),
    Row("SGDM (arXiv:2604.22649)", "PixCorr", "images_things_full_pixcorr", (), 1, "no table was found"),
    Row("control: SGDM with EEG of zeros", "PixCorr", "images_things_zeroed_eeg_pixcorr", (), 1, ""),
)  # fmt: skip


TASKS = {
    "blink": "short or long blink, 4 electrodes of a headset (Blink)",
    "scp": "slow cortical potential up or down, 6 electrodes (BCI Competition II, set Ia)",
}
"""Entry of ``probe_tasks`` of the demo, and what is told apart."""

CLASSIFIERS = {
    "lft": "LFT",
    "pretrained_backbone": "pretrained backbone",
    "untrained_backbone": "untrained backbone",
    "band_powers": "band powers",
    "raw_samples": "raw samples",
}
"""Classifiers of such a task in the report's metrics, and their names: an LFT, and probes of features."""


def _paper(published: dict, row: Row) -> str:
    value = published
    for key in row.paper:
        value = value if key == 0 and not isinstance(value, list) else value[key]
    return f"{value * row.factor:.2f}" if row.paper else NONE


def scores(metrics: dict, published: dict) -> str:
    """Return the table, in Markdown; a score that the report does not have is a dash."""
    lines = ["| system | score | demo (surrogate) | papers' | papers' data |", "|---|---|--:|--:|---|"]
    for row in ROWS:
        demo = f"{metrics[row.metric]:.2f}" if row.metric in metrics else NONE
        lines.append(f"| {row.system} | {row.score} | {demo} | {_paper(published, row)} | {row.protocol} |")
    return "\n".join(lines)


def task_scores(metrics: dict) -> str:
    """Return the table of real tasks, in Markdown, the best score of each in bold; what the report lacks is a dash."""
    lines = [f"| real task | {' | '.join(CLASSIFIERS.values())} | pretraining is worth |"]
    lines.append(f"|---|{'--:|' * len(CLASSIFIERS)}--:|")
    for task, words in TASKS.items():
        key = f"task_{task}"
        values = [metrics.get(f"{key}_{name}_balanced_accuracy") for name in CLASSIFIERS]
        best = max((value for value in values if value is not None), default=None)
        cells = [NONE if value is None else f"**{value:.3f}**" if value == best else f"{value:.3f}" for value in values]
        ends = [metrics.get(f"{key}_pretraining_over_untrained_backbone_{end}") for end in ("mean", "low", "high")]
        worth = NONE if None in ends else "{:+z.3f} ({:+z.3f} to {:+z.3f})".format(*ends)
        lines.append(f"| {words} | {' | '.join(cells)} | {worth} |")
    return "\n".join(lines)


def with_scores(text: str, table: str, begin: str = BEGIN, end: str = END) -> str:
    """Return ``text`` with the table between its two marks.

    Raises:
        ValueError: the text does not have each mark once.
    """
    pattern = re.compile(rf"(?<={re.escape(begin)}\n).*?(?={re.escape(end)})", re.DOTALL)
    text, count = pattern.subn(lambda _: f"{table}\n", text)
    if count != 1:
        raise ValueError(f"README.md: the marks {begin!r} and {end!r} must stand in it once (found {count})")
    return text


if __name__ == "__main__":
    path, readme = Path("reports/metrics.json"), Path("README.md")
    if not path.is_file():
        raise SystemExit(f"{path}: no such file; README.md keeps the scores that it has. Run `make demo`.")
    metrics = json.loads(path.read_text())
    text = with_scores(readme.read_text(), scores(metrics, yaml.safe_load(Path(PUBLISHED).read_text())))
    readme.write_text(with_scores(text, task_scores(metrics), TASKS_BEGIN, TASKS_END))
