"""Test predictions of a registry's champion, kept beside the models so that the report can compare with them.

They lie in ``models/champions/<model>``, which DVC does not know: no stage depends on them, and no metric holds them.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas

from eegdiffusion.core.storage.parquet_file import read_parquet

CHAMPIONS = Path("models/champions")

FACTS = "champion.json"


@dataclass(frozen=True)
class ChampionPredictions:
    """What a champion said of its test windows.

    Attributes:
        version: version of the registered model.
        predictions: training -> table, as in ``predictions.parquet``; a training for each seed.
    """

    version: str
    predictions: Mapping[str, pandas.DataFrame]


def write_champion(model: str, champion: ChampionPredictions | None, root: Path | None = None) -> None:
    """Keep the predictions of a model's champion in the place of a former one's; of none, remove them."""
    folder = (root or CHAMPIONS) / model
    partial = folder.with_name(f".{model}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    if champion:
        partial.mkdir(parents=True)
        for training, table in champion.predictions.items():
            table.to_parquet(partial / f"{training}.parquet", index=False)
        (partial / FACTS).write_text(json.dumps({"version": champion.version, "trainings": list(champion.predictions)}))
    shutil.rmtree(folder, ignore_errors=True)
    if champion:
        partial.rename(folder)


def read_champion(model: str, root: Path | None = None) -> ChampionPredictions | None:
    """Read the predictions that are kept of a model's champion; None where there are none."""
    folder = (root or CHAMPIONS) / model
    if not (folder / FACTS).is_file():
        return None
    facts = json.loads((folder / FACTS).read_text())
    tables = {training: read_parquet(folder / f"{training}.parquet") for training in facts["trainings"]}
    return ChampionPredictions(facts["version"], tables)
