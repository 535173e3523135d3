"""Finds the depth of the image network at which responses are planted: ``python -m benchmarks.image_depth``.

Surrogate corpora follow one layer each, with the demo's amplitude and noise; the sweep sees epochs and all layers, and
chooses by validation images. Writes ``benchmarks/image_depth.md``.
"""

import argparse
from pathlib import Path

import pandas
import torch

from components.embed_images.compute import compute as embed
from components.embed_images.settings import EmbedImages
from components.ingest_images.compute import compute as ingest
from components.ingest_images.settings import Epoching, ImageCorpus, IngestImages
from eegdiffusion.core.storage.packages import CACHE
from eegdiffusion.images.encoders.layer_sweep import LayerSweep, sweep_layers
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import Pairs
from eegdiffusion.images.epochs.paired_epochs import identities
from eegdiffusion.images.epochs.protocols import Fold
from eegdiffusion.images.features.efficientnet_lite import STAGES
from eegdiffusion.images.features.image_features import OUTPUT, ImageFeatures
from eegdiffusion.surrogate.things import objects
from eegdiffusion.surrogate.things.things_settings import SurrogateThings

PLANTED = ("stage1", "stage3", "stage5", "stage7", OUTPUT)
"""Layers at which responses are planted."""

SEEDS = (0, 5, 6, 8, 9)
"""The first with which the font has all the drawings that are drawn."""
CORPUS = {"subjects": 1, "concepts": 80, "exemplars": 5, "test_concepts": 10, "test_repetitions": 2}
VALIDATION = 0.3
"""Share of the training concepts that validate: which layer is chosen rests on them."""


def make(work: Path, cache: Path, depth: str, seed: int) -> tuple[EpochStore, ImageFeatures]:
    """Make a corpus whose responses follow a layer, cut its epochs and compute its features; once."""
    folder = work / f"{depth}-{seed}"
    corpus, store, features = folder / "corpus", folder / "store", folder / "features"
    if not (features / "features.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        objects.write_corpus(corpus, cache, SurrogateThings(seed=seed, depth=depth, **CORPUS))
        (folder / "work").mkdir(exist_ok=True)
        entry = ImageCorpus(root=str(corpus), layout="things_eeg2_raw", epochs="demo")
        cutting = Epoching(channels="[OPT]", tmin_s=-0.2, tmax_s=0.8, rate_hz=250.0, keep_from_s=0.0)
        ingest(entry, IngestImages(validation_fraction=VALIDATION), cutting, store, folder / "work")
        settings = EmbedImages(model="efficientnet_lite0", source=None, layers=list(STAGES), structure_size=8)
        embed(EpochStore(store), settings, features, torch.device("cpu"))
    opened = EpochStore(store)
    return opened, ImageFeatures(features, opened.description.fingerprint)


def sweep(store: EpochStore, features: ImageFeatures) -> LayerSweep:
    """Compare all layers on the corpus's validation images."""
    identity, split = identities(store.images), store.images["split"].to_numpy(str)
    values = {"identity": identity}
    pairs = Pairs(store, split, values, values, Fold("sub-01", ["sub-01"], ["sub-01"]), None)
    layers = {name: features.layer(name) for name in features.layer_names}
    return sweep_layers(pairs, layers, [0.01, 0.1, 1.0, 10.0])


def row(depth: str, seed: int, swept: LayerSweep) -> dict:
    """Make a row of the table: what was planted, what was chosen of five and of all layers, and the ranks."""
    table = swept.table.set_index("layer")
    five = table.loc[list(PLANTED), "rank"]
    return {"planted": depth, "seed": seed, "chosen of five": five.idxmin(), "chosen of all": swept.best} | {
        name: f"{rank:.3f}" for name, rank in table["rank"].items()
    }


def summary(rows: list[dict]) -> str:
    """Count how often the depth is found, exactly and within one, among the five and among all layers."""
    lines = []
    for column, layers in (("chosen of five", list(PLANTED)), ("chosen of all", [*STAGES, OUTPUT])):
        apart = [abs(layers.index(each["planted"]) - layers.index(each[column])) for each in rows]
        exact, near = sum(k == 0 for k in apart), sum(k <= 1 for k in apart)
        lines.append(f"* among {len(layers)} layers: exact in {exact} of {len(rows)}, within one in {near}")
    return "\n".join(lines)


TEXT = """# The depth that was planted, and the depth that is found

Written by `python -m benchmarks.image_depth`. Responses of surrogate subjects follow one layer of EfficientNet-lite0
and, as always, luminance, colour and edges, with the demo's amplitude and noise. The sweep (`layer_sweep`) knows
epochs, pictures and all layers: a ridge regression to each layer's principal components, and the mean rank of the
right one among the validation images (0 best, 0.5 by chance), which chooses. Corpora: {corpus}; {validation:.0%} of
the training concepts validate. The surrogate plants principal components, too, though not the same number, and fitted
to other images: EEG that follows a layer in another way may be harder.

{summary}

{table}
"""


def main() -> None:
    """Plant at each depth with each seed, sweep, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".work/image_depth"))
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    options = parser.parse_args()
    rows = []
    for seed in SEEDS:
        for depth in PLANTED:
            rows.append(row(depth, seed, sweep(*make(options.work, options.cache, depth, seed))))
            print(rows[-1], flush=True)
    table = pandas.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    corpus = ", ".join(f"{name} {value}" for name, value in CORPUS.items())
    options.out.write_text(TEXT.format(corpus=corpus, validation=VALIDATION, summary=summary(rows), table=table))


if __name__ == "__main__":
    main()
