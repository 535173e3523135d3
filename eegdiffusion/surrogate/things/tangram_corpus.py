"""The surrogate of Kilogram with EEG: tangrams laid at random, in the layout of Kilogram with BIDS EEG."""

import datetime
from pathlib import Path

import edfio
import numpy as np
import pandas

from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.images.corpora import tangrams
from eegdiffusion.images.corpora.things_eeg2 import CHANNELS
from eegdiffusion.images.corpora.trial_tasks import IMAGERY, PERCEPTION
from eegdiffusion.surrogate.things import scenes
from eegdiffusion.surrogate.things.responses import Background, simulate_recording
from eegdiffusion.surrogate.things.simulation import simulate_subjects
from eegdiffusion.surrogate.things.things_settings import SurrogateThings

STEP_S, MARGIN_S = 0.8, 1.5
REPETITIONS = {"training": 2, "test": 20}
"""Number of repetitions of each tangram in a session."""


def write_corpus(root: Path, cache: Path, options: SurrogateThings) -> None:
    """Write the corpus of tangrams in this project's layout for Kilogram with EEG.

    Args:
        root: folder to make.
        cache: folder of downloads.
        options: settings of the corpora.
    """
    rng = np.random.default_rng([options.seed, 3])
    folder = root / "tangrams-svg"
    folder.mkdir(parents=True)
    names = [f"page1-{k}" for k in range(options.tangrams + options.test_tangrams)]
    for name in progress(names, "laying tangrams", unit="tangram"):
        scenes.write_svg(scenes.lay_tangram(rng), folder / f"{name}.svg")
    split = ["training"] * options.tangrams + ["test"] * options.test_tangrams
    pandas.DataFrame({"tangram": names, "split": split}).to_csv(root / "stimuli.tsv", sep="\t", index=False)
    files = [folder / f"{name}.svg" for name in names]
    images = [tangrams.draw_image(tangrams.read_tangram(file), scenes.SIZE) for file in files]
    fitted = np.array(split) == "training"
    repetitions = [REPETITIONS[part] for part in split]
    simulated = simulate_subjects(images, fitted, cache, options)
    for number, (background, responses) in enumerate(
        progress(simulated, "surrogate subjects", options.subjects, "subject"), start=1
    ):
        own = np.random.default_rng([options.seed, 4, number])
        write_session(root, number, names, repetitions, background, responses, options, own)
        if options.imagery:
            later = imagined_responses(responses, options)
            write_session(root, number, names, repetitions, background, later, options, own, IMAGERY)


def imagined_responses(responses: np.ndarray, options: SurrogateThings) -> np.ndarray:
    """Return what is planted for imagined tangrams: responses that are weaker and later, and cut where they would end.

    Args:
        responses: (images, 63, samples) responses to tangrams that are seen, in microvolts.
        options: settings of the corpora.
    """
    delay = round(options.imagery_delay_s * options.sfreq)
    later = np.zeros_like(responses)
    later[:, :, delay:] = options.imagery * responses[:, :, : responses.shape[2] - delay]
    return later


def write_session(
    root: Path, number: int, names: list[str], repetitions: list[int], background: Background, responses: np.ndarray,
    options: SurrogateThings, own: np.random.Generator, task: str | None = None,
) -> None:  # fmt: skip
    """Write a recording of a subject with its events.

    Args:
        root: folder of the corpus.
        number: number of the subject.
        names: names of the tangrams.
        repetitions: number of trials of each tangram.
        background: real EEG at rest.
        responses: (tangrams, 63, samples) microvolts.
        options: settings of the corpora.
        own: source of what the subject adds.
        task: what the subject does, in the name of the file; None: ``perception`` where others are imagined, and else
            the paradigm's name alone.
    """
    task = task or (PERCEPTION if options.imagery else "tangram")
    trials = own.permutation(np.repeat(np.arange(len(names)), repetitions))
    seconds = int(2 * MARGIN_S + STEP_S * len(trials)) + 1
    onset = MARGIN_S + STEP_S * np.arange(len(trials))
    samples = round(seconds * options.sfreq)
    onset_samples = np.round(onset * options.sfreq).astype(int)
    signals = simulate_recording(background, onset_samples, trials, responses, samples, own)
    subject = f"sub-{number:02d}"
    path = root / subject / "eeg" / f"{subject}_task-{task}_eeg.edf"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_edf(path, signals, options.sfreq)
    events = pandas.DataFrame({"onset": onset, "duration": 0.5, "tangram": [names[k] for k in trials]})
    events.to_csv(path.with_name(f"{subject}_task-{task}_events.tsv"), sep="\t", index=False, float_format="%.6f")


def write_edf(path: Path, signals: np.ndarray, sfreq: float) -> None:
    """Write signals as a 16-bit EDF of 0.1 microvolts a bit.

    Args:
        path: file to write.
        signals: (63, samples) microvolts, whole seconds long.
        sfreq: sampling rate in Hz.
    """
    bits = np.iinfo(np.int16)
    rows = [
        edfio.EdfSignal(
            row,
            sfreq,
            label=f"EEG {name}",
            physical_dimension="uV",
            physical_range=(bits.min * 0.1, bits.max * 0.1),
            digital_range=(bits.min, bits.max),
        )
        for name, row in zip(CHANNELS, signals, strict=True)
    ]
    recording = edfio.Recording(startdate=datetime.date(2000, 1, 1))
    edfio.Edf(rows, patient=edfio.Patient(name="surrogate"), recording=recording, data_record_duration=1).write(path)
