"""The report: its numbers, its marks, its files."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import mne
import numpy as np
import pandas
import pytest
import sklearn.metrics
import sklearn.preprocessing

from components.report.__main__ import main
from eegdiffusion.core.runtime.errors import EXIT_BAD_INPUT, InputError
from eegdiffusion.core.signal.montages import choose_montage
from eegdiffusion.core.statistics.multilabel_metrics import (
    macro_f1_interval,
    multilabel_metrics,
    multilabel_per_class,
)
from eegdiffusion.core.storage import splits
from eegdiffusion.core.storage.result_facts import DataFacts, ResultFacts
from eegdiffusion.events.results.classifier_io import write_classifier_result, write_multi_label_result
from eegdiffusion.events.results.probes import ProbeResults
from eegdiffusion.events.store import window_store
from eegdiffusion.events.store.distinct_labels import distinct_labels
from eegdiffusion.report import classifier_tables
from eegdiffusion.report.classifier_results import read_classifiers
from eegdiffusion.report.document import Document
from eegdiffusion.report.probe_sections import probe_sentence
from tests.e2e.workspace import ROOT

CLASSES = ["spsw", "gped", "pled", "eyem", "artf", "bckg"]
CHANNELS = ["FP1-F7", "A1-T3"]
MONTAGE = choose_montage("two", {"two": CHANNELS}).document()
RATE = 200.0
SEEDS = (0, 1, 2)
PARAMS = """
finetune_lft: {corpus: tuev}
matrix: {backbones: [base, linear], labels: [recorded, shuffled], seeds: [0, 1, 2], baselines: [sparcnet, contrawr],
  probes: [base]}
ablations:
  fusion_mean: {family: fusion, name: mean, latents: base, model: {fusion: mean}}
event_tasks:
  waves: {corpus: waves, latents: waves}
  sets: {corpus: tuev, latents: base, head: multi_label}
probe_tasks:
  waves: {backbone: base, corpus: waves}
  made: {backbone: base, corpus: made}
lft_tests:
  rate_190: {family: rate, name: "190 Hz, reference convention", latents: rate_190}
eeg_encoders: {}
sgdm: {}
condiffusion: {}
"""


def _write_data(corpus: str, warnings: tuple[str, ...]) -> pandas.DataFrame:
    """An index and a store of 4 + 2 + 5 recordings; returns the event windows."""
    draw = np.random.default_rng(0)
    subjects = {"train": ["aaa", "bbb", "ccc"], "validation": ["ddd"], "test": [f"eval/{k:03d}" for k in range(5)]}
    rows, windows = [], []
    for split, names in subjects.items():
        for subject in names:
            recording = f"{subject}/{split}_1"
            rows.append({"recording": recording, "subject": subject, "split": split, "duration_s": 90.0})
            for row in range(30):
                label = row % 6 if row < 18 else int(draw.integers(0, 6))
                windows.append(
                    {
                        "recording": recording,
                        "split": split,
                        "start_sample": 200 * row,
                        "channel": row % 22,
                        "label": label,
                        "row": row,
                    }
                )
    index, kept = Path("data/events/tuev/index"), Path("data/events/tuev/store")
    index.mkdir(parents=True)
    kept.mkdir()
    pandas.DataFrame(rows).to_parquet(index / "recordings.parquet")
    problems = [("train/x.edf", "truncated", "samples", "must ...", "error")] * 2
    pandas.DataFrame(problems, columns=["path", "check", "field", "message", "severity"]).to_parquet(
        index / "problems.parquet"
    )
    manifest = splits.manifest(subjects, {row["recording"]: "0" for row in rows}, 0.25, 4523)
    (index / "split.json").write_text(json.dumps(manifest))
    windows = pandas.DataFrame(windows)
    facts = {"warnings": list(warnings)}
    described = window_store.StoreDescription(corpus, RATE, 1000, MONTAGE, CLASSES, "f", {}, {}, **facts)
    window_store.write_index(kept, windows, windows[["recording", "split", "start_sample"]], described)
    return windows


def _write_classifier(folder: Path, test: pandas.DataFrame, skill: float, seed: int) -> None:
    """Predictions that are right about as often as ``skill`` says."""
    draw = np.random.default_rng((seed, round(100 * skill)))
    labels = test["label"].to_numpy()
    probabilities = draw.dirichlet(np.ones(6), len(labels)) + skill * np.eye(6)[labels]
    probabilities /= probabilities.sum(1, keepdims=True)
    epochs = np.arange(1, 9 + seed)
    curves = pandas.DataFrame(
        {
            "step": 20 * epochs,
            "epoch": epochs,
            "train_loss": 0.4 + 1.4 * np.exp(-epochs / 3) + 0.03 * draw.standard_normal(len(epochs)),
            "validation_cohen_kappa": skill * (1 - np.exp(-epochs / 2)) + 0.03 * draw.standard_normal(len(epochs)),
        }
    )
    data = DataFacts(corpus="surrogate", preprocessing="f", split_hash="f", split="test")
    facts = ResultFacts(data=data, seed=seed, parameters=12345)
    write_classifier_result(folder / f"seed-{seed}", test, labels, probabilities, curves.to_dict("records"), facts)


def _eeg(gain: float, slope: float, seed: int) -> mne.io.RawArray:
    """Two channels of eight 5 s signals with a 1/f^slope spectrum and an alpha rhythm."""
    draw = np.random.default_rng(seed)
    frequencies = np.fft.rfftfreq(1000, 1 / RATE)
    shape = (frequencies < 75) / np.maximum(frequencies, 0.5) ** slope
    signals = np.fft.irfft(np.fft.rfft(draw.standard_normal((2, 8, 1000))) * shape)
    rhythm = np.sin(2 * np.pi * 10 * np.arange(1000) / RATE + 6 * draw.random((2, 8, 1)))
    signals = 12e-6 * gain * (signals / signals.std() + 0.6 * rhythm)
    raw = mne.io.RawArray(signals.reshape(2, -1), mne.create_info(CHANNELS, RATE, "eeg"), verbose="error")
    return raw.set_annotations(mne.Annotations(5.0 * np.arange(8), 5.0, "signal"))


def _write_backbone(name: str, gain: float, slope: float) -> None:
    folder = Path("models/ssmdp", name)
    (folder / "generated").mkdir(parents=True)
    _eeg(1, 1, 0).save(folder / "generated" / "real_raw.fif", verbose="error")
    _eeg(gain, slope, 1).save(folder / "generated" / "generated_raw.fif", verbose="error")
    epochs = np.arange(1, 7)
    loss = 0.2 + 0.6 * np.exp(-epochs / 2)
    curves = pandas.DataFrame({"step": epochs, "epoch": epochs, "train_loss": loss, "validation_loss": loss + 0.02})
    curves.to_csv(folder / "curves.csv", index=False)
    facts = {
        "validation_loss": 0.25,
        "best_epoch": 6.0,
        "parameters": 54321,
        "training_samples": 999,
        "schedule": "squaredcos_cap_v2",
        "mu_law": name != "nolaw",
        "corpus": "surrogate",
    }
    (folder / "metrics.json").write_text(json.dumps(facts))


def _write_probes(folder: Path) -> None:
    """Probes of pretrained, untrained and band features whose worth is in the tables."""
    folder.mkdir(parents=True)
    rows = [
        {"features": name, "probe": kind, "fraction": fraction, "channels": channels, "draws": 2, "cohen_kappa": 0.4,
         "balanced_accuracy": level * fraction**0.1, "f1_weighted": 0.5, "low": level - 0.3, "high": level + 0.1}
        for name, kind, level in (("pretrained backbone", "ridge", 0.6), ("untrained backbone", "ridge", 0.55),
                                  ("band powers", "lda", 0.7))
        for fraction, channels in ((1.0, "all"), (0.1, "all"), (1.0, "2 temporal"))
    ]  # fmt: skip
    pandas.DataFrame(rows).to_csv(folder / "probes.csv", index=False)
    worth = [
        {"fraction": 1.0, "against": "untrained backbone", "mean": 0.05, "low": -0.012, "high": 0.11},
        {"fraction": 1.0, "against": "band powers", "mean": -0.1, "low": -0.15, "high": -0.05},
        {"fraction": 0.1, "against": "untrained backbone", "mean": 0.2, "low": 0.1, "high": 0.3},
    ]
    (folder / "worth.json").write_text(json.dumps(worth))


def _write_task(folder: Path, corpus: str, scores: dict[str, float], low: float) -> None:
    """Probes of a task: pretrained against the others by the differences of their scores, from ``low`` upward."""
    folder.mkdir(parents=True)
    rows = [
        {"features": name, "variant": "std", "probe": "ridge", "seeds": 1, "cross_validation": score - 0.01,
         "cohen_kappa": 2 * score - 1, "balanced_accuracy": score, "f1_weighted": score, "low": score - 0.05,
         "high": score + 0.04}
        for name, score in scores.items()
    ]  # fmt: skip
    pandas.DataFrame(rows).to_csv(folder / "probes.csv", index=False)
    first, *others = scores
    differences = [
        {"against": name, "mean": scores[first] - scores[name], "low": low, "high": scores[first] - scores[name] + 0.02}
        for name in others
    ]
    pandas.DataFrame(differences).to_csv(folder / "differences.csv", index=False)
    montage = choose_montage("muse", {"muse": ["TP9", "AF7"]})
    facts = {"corpus": corpus, "classes": ["a", "b"], "channels": montage.document(), "training_windows": 40,
             "test_windows": 30, "drawn": "windows", "groups": 30, "chance": 0.5, "warnings": []}  # fmt: skip
    (folder / "task.json").write_text(json.dumps(facts))
    predictions = _task_windows()
    for name, score in scores.items():
        predictions[f"{name} 0"] = _right_in(predictions["label"], score)
    predictions.to_parquet(folder / "predictions.parquet")


def _task_windows() -> pandas.DataFrame:
    """The 30 test windows of a task, half of each class."""
    return pandas.DataFrame({"recording": "r", "start_sample": np.arange(30) * 400, "label": np.arange(30) % 2})


def _right_in(labels: pandas.Series, share: float) -> np.ndarray:
    """Predict a share of the windows right, the first ones."""
    return np.where(np.arange(len(labels)) < round(share * len(labels)), labels, 1 - labels)


def _write_finetuned(folder: Path, corpus: str, share: float) -> None:
    """An LFT of a task for each seed, which is right in a share of the windows."""
    windows = _task_windows()
    predicted = _right_in(windows["label"], share)
    for seed in SEEDS:
        out = folder / f"seed-{seed}"
        out.mkdir(parents=True)
        windows.assign(row=0, channel=0, p0=1.0 - predicted, p1=predicted * 1.0).to_parquet(out / "predictions.parquet")
        scores = {"cohen_kappa": 2 * share - 1, "balanced_accuracy": share, "f1_weighted": share, "auroc": 0.97,
                  "auprc": 0.96, "balanced_accuracy_at_threshold": share, "parameters": 10}  # fmt: skip
        (out / "metrics.json").write_text(json.dumps(scores))
    facts = {"corpus": corpus, "classes": ["a", "b"], "head": "binary", "training_windows": 40, "test_windows": 30,
             "left_out": {"train": 4, "validation": 0, "test": 3}, "chance": 0.5, "warnings": [],
             "interval": {"low": 0.7, "high": 0.9}, "groups": [f"window {k}" for k in range(30)]}  # fmt: skip
    (folder / "task.json").write_text(json.dumps(facts))


def _write_sets(folder: Path, corpus: str, test: pandas.DataFrame) -> None:
    """An LFT of the distinct test windows for each seed, and a baseline that knows less."""
    of_row = test.groupby(["recording", "start_sample"], sort=False).ngroup().to_numpy()
    _, labels = distinct_labels(of_row, test["label"].to_numpy(), len(CLASSES))
    table = test.iloc[np.unique(of_row, return_index=True)[1]].assign(rows=np.bincount(of_row))
    groups = table["recording"].str.rpartition("/")[0].to_numpy(str)
    data = DataFacts(corpus=corpus, preprocessing="f", split_hash="g", split="test")
    thresholds, answers = np.full(len(CLASSES), 0.5), []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        for out, skill in ((folder, 0.4), (folder / "baselines/band_power", 0.2)):
            chance = skill * labels + (1 - skill) * rng.random(labels.shape)
            by_class = multilabel_per_class(labels, chance, thresholds, CLASSES).to_dict("index")
            facts = ResultFacts(data=data, seed=seed, parameters=10, more={"by_class": by_class})
            metrics = multilabel_metrics(labels, chance, thresholds)
            write_multi_label_result(out / f"seed-{seed}", table, labels, chance, thresholds, [], facts, metrics)
            answers += [chance >= thresholds] if out == folder else []
    interval = macro_f1_interval(labels, np.stack(answers), groups)
    facts = {"corpus": corpus, "classes": CLASSES, "head": "multi_label", "training_windows": 40, "warnings": [],
             "test_windows": len(labels), "left_out": {"train": 0, "validation": 0, "test": 0}, "chance": None,
             "baselines": ["band_power"], "interval": {"low": interval.low, "high": interval.high},
             "groups": groups.tolist()}  # fmt: skip
    (folder / "task.json").write_text(json.dumps(facts))


def _write_repository(folder: Path) -> None:
    (folder / "params.yaml").write_text(PARAMS)
    for package in ("components", "eegdiffusion"):
        (folder / package).symlink_to(ROOT / package)


def build(folder: Path, corpus: str = "surrogate", warnings: tuple[str, ...] = ()) -> None:
    """Write everything that the report reads, and then the report, into the working folder."""
    _write_repository(folder)
    windows = _write_data(corpus, warnings)
    test = windows[windows["split"] == "test"]
    for seed in SEEDS:
        _write_classifier(Path("models/lft/recorded"), test, 0.6, seed)
        _write_classifier(Path("models/lft/shuffled"), test, 0.0, seed)
        _write_classifier(Path("models/lft/ablations/fusion_mean"), test, 0.5, seed)
        _write_classifier(Path("models/lft/tests/rate_190"), test, 0.55, seed)
        _write_classifier(Path("models/baselines/sparcnet"), test, 0.4, seed)
        _write_classifier(Path("models/baselines/contrawr"), test, 0.3, seed)
    _write_probes(Path("models/probes/base"))
    names = ("pretrained backbone", "untrained backbone", "band powers", "raw samples")
    _write_task(Path("models/tasks/waves"), "Waves", dict(zip(names, (0.9, 0.9, 0.8, 0.95), strict=True)), -0.07)
    _write_task(Path("models/tasks/made"), corpus, dict(zip(names, (0.9, 0.8, 0.7, 0.6), strict=True)), 0.01)
    _write_finetuned(Path("models/lft/tasks/waves"), "Waves", 0.8)
    _write_sets(Path("models/lft/tasks/sets"), corpus, test)
    _write_backbone("base", 0.8, 0.9)
    _write_backbone("linear", 1.2, 0.6)
    for name in ("eeg_encoders", "structural_vae", "generator", "condiffusion", "controlnet"):
        Path("models", name).mkdir()
    Path("data/reconstructions").mkdir()
    main([])


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        build(folder)
    return folder / "reports"


def _table(text: str, caption: str) -> pandas.DataFrame:
    """The Markdown table below a caption, cells as text, indexed by the first column."""
    lines = text[text.index(caption) :].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return pandas.DataFrame(rows[2:], columns=rows[0]).set_index(rows[0][0])


def _scores(report: Path, folder: str, score) -> list[float]:
    found = []
    for seed in SEEDS:
        table = pandas.read_parquet(report.parent / folder / f"seed-{seed}" / "predictions.parquet")
        found.append(score(table["label"], table.filter(regex=r"^p\d").to_numpy().argmax(1)))
    return found


def test_both_protocols_stand_side_by_side_with_the_inflation_between_them(report):
    text, metrics = (report / "report.md").read_text(), json.loads((report / "metrics.json").read_text())
    section = text[text.index("### Distinct windows") : text.index("### Generated EEG")]
    table = _table(section, "Both protocols").reset_index().set_index("classifier")
    assert table.index.tolist() == ["LFT", "LFT of sets"]
    scores = []
    for seed in SEEDS:
        rows = pandas.read_parquet(report.parent / f"models/lft/recorded/seed-{seed}/predictions.parquet")
        answer = rows.filter(regex=r"^p\d").to_numpy().argmax(1)
        rows = rows.assign(answer=answer)
        # Macro-F1 counts the classes that occur; what is said of others is an error of those that do.
        present = sorted(set(rows["label"]))
        by_rows = sklearn.metrics.f1_score(rows["label"], answer, labels=present, average="macro")
        windows = rows.groupby(["recording", "start_sample"]).agg({"label": set, "answer": "first"})
        one_of = sklearn.preprocessing.MultiLabelBinarizer(classes=range(len(CLASSES)))
        labels = one_of.fit_transform(windows["label"])
        answers = one_of.transform([{each} for each in windows["answer"]])
        scores.append((by_rows, sklearn.metrics.f1_score(labels, answers, labels=present, average="macro")))
    by_rows, by_windows = np.mean(scores, axis=0)
    assert table.loc["LFT", "macro-F1, rows"] == f"{by_rows:.3f}"
    assert table.loc["LFT", "macro-F1, distinct windows"] == f"{by_windows:.3f}"
    assert table.loc["LFT", "inflation"] == f"{by_rows - by_windows:+z.3f}"
    assert metrics["task_sets_inflation_of_first_lft_mean"] == pytest.approx(by_rows - by_windows)
    assert int(table.loc["LFT", "rows"]) == len(rows)
    assert f"in place of each of {len(windows)} windows once" in section
    assert f"{by_rows - by_windows:+z.3f} macro-F1 (" in section
    by_class = _table(section, "LFTs of distinct windows")
    assert by_class["class"].tolist() == ["mean over classes", "mean over classes, band-power regression", *CLASSES]
    assert "differs by +" in section, "the LFT knows more than the baseline"
    assert "sets" not in _table(text, "LFTs of further tasks").index


@pytest.mark.parametrize(
    ("model", "key", "folder"),
    [
        ("LFT", "lft", "models/lft/recorded"),
        ("LFT, shuffled labels", "lft_shuffled_labels", "models/lft/shuffled"),
        ("SPaRCNet", "sparcnet", "models/baselines/sparcnet"),
        ("ContraWR", "contrawr", "models/baselines/contrawr"),
    ],
)
def test_numbers_are_those_of_the_predictions(report, model, key, folder):
    text, metrics = (report / "report.md").read_text(), json.loads((report / "metrics.json").read_text())
    row = _table(text, "Test metrics of the classifiers").loc[model]
    scores = {
        "Cohen's kappa": ("cohen_kappa", sklearn.metrics.cohen_kappa_score),
        "balanced accuracy": ("balanced_accuracy", sklearn.metrics.balanced_accuracy_score),
        "weighted F1": ("f1_weighted", lambda y, p: sklearn.metrics.f1_score(y, p, average="weighted")),
    }
    for column, (name, score) in scores.items():
        values = _scores(report, folder, score)
        mean, sd = np.mean(values), np.std(values, ddof=1)
        assert row[column] == f"{mean:.3f} ± {sd:.3f}"
        assert metrics[f"{key}_{name}_mean"] == pytest.approx(mean)
        assert metrics[f"{key}_{name}_sd"] == pytest.approx(sd)
    low, high = (metrics[f"{key}_balanced_accuracy_{end}"] for end in ("low", "high"))
    assert low < metrics[f"{key}_balanced_accuracy_mean"] < high
    assert row["95 % interval of balanced accuracy"] == f"{low:.3f} to {high:.3f}"
    assert row["seeds"] == "3"
    assert row["parameters"] == "12,345"


def test_the_control_is_answered_plainly(report):
    text = (report / "report.md").read_text()
    assert "Does it contain 1/6 = 0.167? **Yes.**" in text
    assert json.loads((report / "metrics.json").read_text())["control_interval_contains_chance"] is True


def test_a_mean_above_half_says_when_its_interval_reaches_half(report):
    text, metrics = (report / "report.md").read_text(), json.loads((report / "metrics.json").read_text())
    low, mean, high = (metrics[f"lft_balanced_accuracy_{name}"] for name in ("low", "mean", "high"))
    answer = ("yes" if mean > 0.5 else "no") + (", but the interval contains 0.5" if low <= 0.5 <= high else "")
    assert f"- **Above 0.5**: {answer}.\n" in text


def test_the_headline_is_paired_with_each_baseline_and_the_control(report):
    headline, metrics = (json.loads((report / name).read_text()) for name in ("headline.json", "metrics.json"))
    assert headline["lft"] == pytest.approx(metrics["lft_balanced_accuracy_mean"], abs=1e-4)
    rivals = ("sparcnet", "contrawr", "lft_shuffled_labels")
    strongest = max(metrics[f"{name}_balanced_accuracy_mean"] for name in rivals)
    assert headline["lft_gain"] == pytest.approx(metrics["lft_balanced_accuracy_mean"] - strongest, abs=1e-4)


def test_data_are_counted(report):
    text = (report / "report.md").read_text()
    counted = _table(text, "Recordings and windows")
    assert counted.loc["test", ["subjects", "recordings", "event windows"]].tolist() == ["5", "5", "150"]
    assert counted["hours"].tolist() == ["0.07", "0.03", "0.12"]
    windows = pandas.read_parquet(report.parent / "data/events/tuev/store/windows.parquet")
    classes = _table(text, "Event windows of each class").astype(int)
    for number, name in enumerate(CLASSES):
        assert classes.loc[name.upper(), "test"] == ((windows["label"] == number) & (windows["split"] == "test")).sum()
    assert classes["all"].sum() == len(windows)
    assert json.loads((report.parent / "data/events/tuev/index/split.json").read_text())["hash"] in text
    assert _table(text, "What ingestion found wrong").loc["error"].tolist() == ["truncated", "1"]


def test_generated_eeg_is_compared(report):
    metrics = json.loads((report / "metrics.json").read_text())
    bands = _table((report / "report.md").read_text(), "Band power of generated")
    assert bands.index.tolist() == ["delta", "theta", "alpha", "beta", "gamma"]
    assert bands.loc["gamma", "linear"].startswith(f"{metrics['ssmdp_linear_gamma_log10_difference']:+.2f}")
    assert metrics["ssmdp_linear_gamma_log10_difference"] > metrics["ssmdp_base_gamma_log10_difference"] + 0.3


def test_every_title_names_the_corpus(report):
    text = (report / "report.md").read_text()
    titles = re.findall(r"^\*\*(?:Table|Figure) \d+\.\*\* (.+)$", text, re.M)
    assert len(titles) == 27
    assert [title for title in titles if not title.endswith("(surrogate data)")] == [
        "Glossary of the classes (names as in TUEV)",
        "Probes of frozen features on other corpora (Waves, surrogate)",
        "LFTs of further tasks: means over seeds (Waves)",
        "Published results of classifiers of events, mean ± sd over 5 seeds, quoted from EEGDM (arXiv:2508.14086) "
        "(published, on TUEV)",
        "Published results of classifiers of seizures, mean ± sd over 5 seeds, quoted from EEGDM (arXiv:2508.14086) "
        "(published, on CHB-MIT)",
    ]
    numbers = re.findall(r"^\*\*Table (\d+)\.", text, re.M)
    assert numbers == [str(k + 1) for k in range(len(numbers))]
    assert "surrogate" in text.splitlines()[0]
    assert json.loads((report / "metrics.json").read_text())["corpus"]


def test_html_needs_nothing_else(report):
    links: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag, attrs):
            links.extend(value for name, value in attrs if name in ("src", "href", "srcset", "data", "action"))
            assert tag not in ("script", "link", "iframe")

    page = (report / "report.html").read_text()
    Links().feed(page)
    pictures = [link for link in links if link.startswith("data:image/png;base64,")]
    assert len(pictures) == len(list((report / "figures").glob("*.png"))) == 9
    assert all(f'id="{link[1:]}"' in page for link in links if link not in pictures)
    assert not re.search(r"url\(|@import|https?://", page)
    assert page.count("<table>") == len(re.findall(r"^\*\*Table", (report / "report.md").read_text(), re.M))


def test_plots_hold_what_the_figures_show(report):
    rows = pandas.read_csv(report / "plots" / "confusion.csv")
    assert len(rows) == 3 * 150
    assert set(rows["actual"]) == {name.upper() for name in CLASSES}
    accuracy = (rows["actual"] == rows["predicted"]).mean()
    assert accuracy == pytest.approx(np.mean(_scores(report, "models/lft/recorded", sklearn.metrics.accuracy_score)))
    kappa = pandas.read_csv(report / "plots" / "validation_kappa.csv")
    lines = (report / "plots" / "validation_kappa.csv").read_text().splitlines()
    assert all(all(line.split(",")) for line in lines), "DVC would draw an empty cell as zero"
    assert kappa.columns.tolist() == ["epoch", "lft", "sparcnet", "contrawr", "lft_shuffled_labels"]
    assert len(kappa) == 10
    spectra = pandas.read_csv(report / "plots" / "spectra.csv")
    assert {"real FP1-F7", "base FP1-F7", "linear A1-T3"} <= set(spectra.columns)


def test_tuev_is_not_called_surrogate(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build(tmp_path, corpus="TUEV", warnings=("a person is in two splits",))
    text = (tmp_path / "reports" / "report.md").read_text()
    assert "urrogate" not in text
    assert "(TUEV data)" in text
    section = text[text.index("## EEG events") :]
    assert "> **Warning:** a person is in two splits." in section
    beside = " **Warning: a person is in two splits.**"
    lines = [line for line in section.splitlines() if re.search(r"LFT\*\*: balanced|Above 0.5|chance\?|1/6", line)]
    assert sum(line.endswith(beside) for line in lines) >= 2, lines
    assert section.count(beside) >= 6, "after each number and table"
    assert "a person is in two splits" in text[: text.index("## EEG events")], "and where the report begins"


def test_without_either_branch_the_report_says_so_and_has_no_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _write_repository(tmp_path)
    params = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(re.sub(r"labels: \[.*?\]", "labels: []", params))
    for name in (
        "ssmdp",
        "lft",
        "baselines",
        "probes",
        "tasks",
        "eeg_encoders",
        "structural_vae",
        "generator",
        "condiffusion",
        "controlnet",
    ):
        Path("models", name).mkdir(parents=True)
    Path("data/events").mkdir(parents=True)
    Path("data/reconstructions").mkdir()
    main([])
    assert "nothing was trained" in Path("reports/report.md").read_text()
    assert json.loads(Path("reports/headline.json").read_text()) == {}


def test_classifiers_tested_on_other_windows_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    test = _write_data("surrogate", ()).query("split == 'test'")
    _write_classifier(Path("a"), test, 0.5, 0)
    _write_classifier(Path("b"), test.iloc[1:], 0.5, 0)
    with pytest.raises(InputError, match="b: must be tested on the windows of a"):
        read_classifiers({"A": Path("a"), "B": Path("b")}, [0])
    _write_classifier(Path("a"), test.iloc[1:], 0.5, 1)
    with pytest.raises(InputError, match="a: all seeds must be tested on the same windows"):
        read_classifiers({"A": Path("a")}, [0, 1])
    with pytest.raises(InputError, match=r"a/seed-2/predictions\.parquet: no such file, but params\.yaml: matrix"):
        read_classifiers({"A": Path("a")}, [0, 2])
    assert read_classifiers({"A": Path("a")}, [0])["A"].seeds == [0]  # what an earlier matrix left is not read


def test_a_missing_input_stops_the_stage(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _write_repository(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == EXIT_BAD_INPUT
    assert "event_corpora" in capsys.readouterr().err


def test_ablations_stand_beside_the_published_numbers(tmp_path):
    from eegdiffusion.core.statistics.classification_metrics import METRICS
    from eegdiffusion.core.statistics.seeds import Summary

    rows = {
        "base": classifier_tables.AblationResult(100, {name: Summary(0.5, 0.1, 3) for name in METRICS}),
        "nolaw": classifier_tables.AblationResult(200, {name: Summary(0.4, float("nan"), 1) for name in METRICS}),
        "extra": classifier_tables.AblationResult(200, {name: Summary(0.3, 0.1, 2) for name in METRICS}),
    }
    table = classifier_tables.ablation_table(rows, {"base": {"cohen_kappa": 0.7423}, "nolaw": {"cohen_kappa": 0.725}})
    assert table["Cohen's kappa"].tolist() == ["0.500 ± 0.100", "0.400", "0.300 ± 0.100"]
    assert table["Cohen's kappa, published (TUEV)"].tolist() == ["0.7423", "0.7250", "–"]
    assert "balanced accuracy, published (TUEV)" not in table  # the paper gives none for this family
    shown = Document(tmp_path / "out", "surrogate").table(table, "Ablation: pretraining")
    assert shown.startswith("**Table 1.** Ablation: pretraining (surrogate data)")


def test_what_pretraining_is_worth_is_said_also_when_it_is_nothing(report):
    text = (report / "report.md").read_text()
    assert (
        "Pretraining is worth nothing that shows here: +0.050 balanced accuracy (95 % interval -0.012 to +0.110) "
        "over the same backbone untrained, by a ridge probe of all labels. It is 0.100 below band powers with LDA "
        "(difference -0.150 to -0.050)."
    ) in text
    table = _table(text, "Probes of frozen features")
    assert table.loc["band powers", "balanced accuracy"].tolist() == ["0.700", "0.556", "0.700"]


@pytest.mark.parametrize(
    ("difference", "words"),
    [((0.05, 0.01, 0.09), "is worth +0.050"), ((-0.05, -0.09, -0.01), "costs -0.050"),
     ((0.0, 0.0, 0.1), "nothing that"), ((-0.01, -0.1, 0.0), "nothing that")],
)  # fmt: skip
def test_a_worth_is_named_by_its_interval(difference, words):
    worth = [dict(zip(("mean", "low", "high"), difference, strict=True)) | {"fraction": 1.0, "against": against}
             for against in ("untrained backbone", "band powers")]  # fmt: skip
    results = ProbeResults(pandas.DataFrame([{"probe": "ridge"}]), pandas.DataFrame(worth))
    assert words in probe_sentence(results)


def test_tasks_name_who_wins_and_say_which_are_real(report):
    text, metrics = (report / "report.md").read_text(), json.loads((report / "metrics.json").read_text())
    section = text.partition("### Other corpora, by the frozen backbone")[2].partition("### Generated EEG")[0]
    assert "**waves: real EEG with real labels, the only rows of this report that are.**" in section
    assert (
        "- **waves** (Waves). Raw samples score highest: balanced accuracy 0.950 (0.900 to 0.990), chance 0.500. The "
        "pretrained backbone differs by +0.000 (-0.070 to +0.020, undecided) from the untrained backbone; +0.100 "
        "(-0.070 to +0.120, undecided) from band powers; -0.050 (-0.070 to -0.030, worse) from raw samples. Probes "
        "learned from 40 windows and were tested on 30; intervals draw 30 windows. 2 have the number of the nearest"
    ) in section
    assert "- **made** (surrogate). Pretrained backbone scores highest" in section
    assert "+0.100 (+0.010 to +0.120, better) from the untrained backbone" in section
    table = _table(text, "Probes of frozen features on other corpora")
    assert table.loc["waves", "balanced accuracy"].tolist() == ["0.900", "0.900", "0.800", "0.950"]
    assert table.loc["waves", "chosen"].tolist() == ["std, ridge"] * 4
    assert metrics["task_waves_raw_samples_balanced_accuracy"] == 0.95
    assert metrics["task_made_pretraining_over_band_powers_low"] == 0.01


def test_lfts_of_tasks_stand_beside_the_probes(report):
    text, metrics = (report / "report.md").read_text(), json.loads((report / "metrics.json").read_text())
    section = text.partition("### Other tasks, by LFTs trained for them")[2].partition("### Generated EEG")[0]
    assert "validation windows chose its weights and thresholds" in section.replace("\n", " ")
    assert (
        "- **waves** (Waves). The LFT that was trained for it has a balanced accuracy of 0.800 (0.700 to 0.900; 3 "
        "seeds), chance 0.500. It differs by -0.100 (-"
    ) in section
    assert "from the pretrained backbone; -0.100" in section
    assert "+0.000 (+0.000 to +0.000, undecided) from band powers; -0.1" in section
    assert "left out: 4 of train, 0 of validation, 3 of test." in section
    table = _table(text, "LFTs of further tasks: means over seeds")
    assert table.loc["waves", ["classes", "head", "AUROC"]].tolist() == ["a, b", "binary", "0.970"]
    assert metrics["task_waves_lft_balanced_accuracy"] == pytest.approx(0.8)
    assert metrics["task_waves_lft_over_raw_samples_high"] < 0


def test_ablation_families_have_a_table_that_begins_with_the_lft(report):
    text = (report / "report.md").read_text()
    table = _table(text, "Ablation: fusion")
    assert table.index.tolist() == ["cross attention", "mean"]
    assert table["Cohen's kappa, published (TUEV)"].tolist() == ["0.7423 ± 0.0136", "0.6505 ± 0.0141"]
    assert table["parameters, published"].tolist() == ["–", "7 M"]
    kappas = _scores(report, "models/lft/ablations/fusion_mean", sklearn.metrics.cohen_kappa_score)
    assert table.loc["mean", "Cohen's kappa"].startswith(f"{np.mean(kappas):.3f} ± ")
    tested = _table(text, "Ablation: rate")
    assert tested.index.tolist() == ["200 Hz", "190 Hz, reference convention"]
    kappas = _scores(report, "models/lft/tests/rate_190", sklearn.metrics.cohen_kappa_score)
    assert tested["Cohen's kappa"].iloc[1].startswith(f"{np.mean(kappas):.3f} ± ")
