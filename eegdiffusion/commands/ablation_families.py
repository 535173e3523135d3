"""Families of ablations as entries of ``params.yaml``."""

import math
import re
from pathlib import Path

import yaml

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.events.training.finetuning_settings import LFTArchitecture, LFTTraining
from eegdiffusion.events.training.pretraining_settings import BackboneArchitecture

FAMILIES = yaml.safe_load(Path(__file__).with_name("ablation_families.yaml").read_text())
"""family -> row -> what differs from the default; the first row of each is the default itself."""


def _part(begin: float, end: float, n_layer: int) -> list[int]:
    return list(range(n_layer))[int(begin * n_layer) : int(end * n_layer)]


def matched_blocks(encoder_blocks: int, left_out: int) -> int:
    """Return the encoder blocks of an LFT that leaves out decoder blocks, for as many parameters as one with them.

    A decoder block holds two attentions and an MLP, 16 H^2 parameters, an encoder block 12 H^2: the paper's LFT of 20
    decoder and 8 encoder blocks has 22 encoder blocks where 10 decoder blocks are left out, 28 where 15 are, 35 where
    all are.

    Args:
        encoder_blocks: those of the LFT that leaves nothing out.
        left_out: decoder blocks that are left out.
    """
    return encoder_blocks + math.ceil(16 * left_out / 12)


def _decoder_blocks_left_out(model: dict, n_layer: int) -> int:
    """Return how many decoder blocks, one for each layer of the backbone, an LFT with these fields does without."""
    if model.get("fusion", "cross_attention") != "cross_attention":
        return n_layer
    return n_layer - len(model.get("layers", range(n_layer)))


def entries(family: str, document: dict) -> dict[str, dict]:
    """Turn a family into entries of the sections ``ablations``, ``lft_tests`` and ``latents``.

    Args:
        family: a key of ``FAMILIES``.
        document: the parsed ``params.yaml``, whose settings are the default.

    Returns:
        section -> entries by name: rows that are trained, rows that are tested only, and the latents that they need.

    Raises:
        InputError: the backbone has too few layers to take a part of them.
    """
    base = document["finetune_lft"]["latents"]
    backbone = document["pretrain_ssmdp"].get("model", {})
    n_layer = validate(backbone, BackboneArchitecture, "params.yaml: pretrain_ssmdp.model").n_layer
    lft = validate(document["finetune_lft"].get("model", {}), LFTArchitecture, "params.yaml: finetune_lft.model")
    trained = validate(document["finetune_lft"], LFTTraining, "params.yaml: finetune_lft")
    rows: dict[str, dict] = {}
    tests: dict[str, dict] = {}
    latents: dict[str, dict] = {}
    for name, change in list(FAMILIES[family].items())[1:]:
        key = f"{family}_{re.sub(r'\W+', '_', name)}"
        row = {"family": family, "name": name, "latents": base}
        if differs := change.get("latents") or change.get("test"):
            latents[key] = document["latents"][base] | differs
            row["latents"] = key
        if "test" in change:
            tests[key] = row
            continue
        row["model"] = dict(change.get("model", {}))
        if training := change.get("training"):
            if validate(document["finetune_lft"] | training, LFTTraining, f"ablations.{key}.training") == trained:
                continue
            row["training"] = dict(training)
        if "part" in change:
            begin, end = change["part"]
            row["model"]["layers"] = _part(begin, end, n_layer)
            if not row["model"]["layers"]:
                raise InputError(
                    f"params.yaml: pretrain_ssmdp.model.n_layer: must be at least 4 for the family {family} "
                    f"(found {n_layer})"
                )
        if left_out := _decoder_blocks_left_out(row["model"], n_layer):
            row["model"]["encoder_blocks"] = matched_blocks(lft.encoder_blocks, left_out)
        rows[key] = row
    return {"ablations": rows, "lft_tests": tests, "latents": latents}
