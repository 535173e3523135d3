"""Tests a structural VAE and a predictor of structure on the test images: scores and pictures."""

from dataclasses import dataclass

import numpy as np
import pandas
import torch
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.image_grid import image_grid
from eegdiffusion.images.figures.structure_figures import draw_maps, traversals
from eegdiffusion.images.generation.pixels import to_pictures
from eegdiffusion.images.structure.structural_vae import StructuralVAE
from eegdiffusion.images.structure.structure_from_eeg import StructureFromEEG
from eegdiffusion.images.structure.structure_scores import structure_metrics, structure_table, variance_ratio
from eegdiffusion.images.structure.structure_training import StructureData

SHOWN = 10
"""Test images that are drawn, chosen at random."""

BATCH = 64


@dataclass(frozen=True)
class Tested:
    """Results on the test images.

    Attributes:
        rows: of the images.
        pictures: as the VAE gives them again, (images, side, side, 3) uint8.
        vae_maps: structure that the VAE gives of the pictures, (images, C, side, side).
        eeg_maps: structure predicted from each subject's EEG, by name, (images, C, side, side).
        metrics: scores of both.
        table: scores of the predictions from EEG, by subject and image.
    """

    rows: np.ndarray
    pictures: np.ndarray
    vae_maps: np.ndarray
    eeg_maps: dict[str, np.ndarray]
    metrics: dict[str, float]
    table: pandas.DataFrame


@torch.inference_mode()
def test(predictor: StructureFromEEG, data: StructureData, latents: np.ndarray, device: torch.device) -> Tested:
    """Score the VAE on the test pictures, and the predictor on epochs that average all repetitions of each.

    Args:
        predictor: with its VAE.
        data: pictures, maps and epochs.
        latents: of all images.
        device: where to run.
    """
    predictor.to(device)
    vae, part = predictor.vae, data.part("test")
    kind, mean_field = vae.kind, vae.mean_field.cpu()
    maps = torch.from_numpy(data.maps[part.rows])
    decoded, logits, error, divergence = [], [], [], []
    for k in range(0, len(part), BATCH):
        pixels = torch.from_numpy(part.__getitems__(list(range(k, min(k + BATCH, len(part)))))["pixels"]).to(device)
        found, structure, posterior = vae(pixels)
        decoded.append(to_pictures(found))
        logits.append(structure.cpu())
        error.append(((found - pixels) / 2).square().mean((1, 2, 3)).cpu())
        divergence.append(posterior.kl().cpu())
    logits = torch.cat(logits)
    vae_maps = kind.activate(logits).numpy()
    table = structure_table(kind, logits, maps, mean_field).assign(image=part.rows)
    metrics = {"picture_mse": float(torch.cat(error).mean()), "kl": float(torch.cat(divergence).mean())}
    metrics |= structure_metrics(table, "vae")

    place = {int(row): k for k, row in enumerate(part.rows)}
    tables, shown, ratios, saved = [], {}, [], []
    pairs = data.pairs()
    for subject in pairs.fold.test:
        epochs = pairs.part("test", pairs.repetitions(subject), [subject], draws=1, plain=True)
        image = epochs.table["image"].to_numpy()
        parts = []
        for k in range(0, len(epochs), BATCH):
            batch = epochs.__getitems__(list(range(k, min(k + BATCH, len(epochs)))))
            eeg, number = (torch.from_numpy(batch[name]).to(device) for name in ("eeg", "subject"))
            parts.append(predictor.latents(eeg, number))
        found = torch.cat(parts)
        logits = torch.cat([vae.structure_logits(part) for part in found.split(BATCH)]).cpu()
        order = [place[int(row)] for row in image]
        table = structure_table(kind, logits, maps[order], mean_field).assign(subject=subject, image=image)
        ratios.append(variance_ratio(kind.activate(logits), maps[order]))
        true, readout = torch.from_numpy(latents[image]).to(device), predictor.readout
        saved.append(1 - float((found - true).square().mean() / (readout.mean - true).square().mean()))
        tables.append(table)
        shown[subject] = kind.activate(logits)[np.argsort(order)].numpy()
    table = pandas.concat(tables, ignore_index=True)
    metrics |= structure_metrics(table, "eeg")
    metrics |= {"eeg_variance_ratio": float(np.mean(ratios)), "eeg_latent_gain": float(np.mean(saved))}
    predictor.cpu()
    return Tested(part.rows, np.concatenate(decoded), vae_maps, shown, metrics, table)


def draw(tested: Tested, vae: StructuralVAE, data: StructureData, latents: np.ndarray, title: str) -> dict[str, Figure]:
    """Draw reconstructions, structure and traversals; by name.

    Args:
        tested: results.
        vae: the VAE.
        data: pictures and maps.
        latents: of all images.
        title: ends every title.
    """
    chosen = np.sort(np.random.default_rng(0).permutation(len(tested.rows))[:SHOWN])
    rows, kind = tested.rows[chosen], data.maps.kind
    seen = {"picture": data.pictures[rows]}
    truth = {kind: draw_maps(data.maps[rows])}
    of_vae = {f"{kind}, VAE": draw_maps(tested.vae_maps[chosen])}
    of_eeg = {f"from EEG, {name}": draw_maps(maps[chosen]) for name, maps in tested.eeg_maps.items()}
    constant = {"mean field": draw_maps(np.repeat(vae.mean_field[None].numpy(), len(chosen), 0))}

    @torch.inference_mode()
    def decode(steps: np.ndarray) -> dict[str, np.ndarray]:
        pictures, logits = vae.decode(torch.from_numpy(steps))
        return {"picture": to_pictures(pictures), kind: draw_maps(vae.kind.activate(logits).numpy())}

    again = {"VAE": tested.pictures[chosen]}
    return {
        "reconstructions": image_grid(seen | again | truth | of_vae, f"Test pictures, reconstructed, {title}"),
        "structure": image_grid(seen | truth | of_vae | of_eeg | constant, f"Structure of test pictures, {title}"),
        "traversals": traversals(latents[data.split == "train"], decode, f"Principal axes of the latents, {title}"),
    }
