"""A classifier that decides by operating points."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.prediction.prediction import Classifier
from eegdiffusion.events.prediction.sensitivity import OperatingPoints


def with_points(
    classifier: Classifier, points: OperatingPoints, sensitivity: str, path: Path, coarse_step: int | None = None
) -> Classifier:
    """Return a classifier whose events are decided by its operating points.

    Args:
        classifier: the classifier.
        points: operating points of the same model.
        sensitivity: one of their levels.
        path: file of the points, for errors.
        coarse_step: seconds from window to window in a first pass; None for every second.

    Raises:
        InputError: the points are of another model, of classes that it has not, or none is of this sensitivity and
            there are no prediction sets either, or no first pass at such steps.
    """
    if points.model_id != classifier.model_id:
        raise InputError(
            f"{path}: model: must be the one that is asked, {classifier.name} (found points of {points.model}, "
            f"identifier {points.model_id}); choose them anew on its predictions"
        )
    names = {name.lower(): name for name in classifier.preprocessing.classes}
    thresholds = points.thresholds(sensitivity)
    of_sets = set(points.sets.least) if points.sets else set[str]()
    if other := sorted((thresholds.keys() | of_sets) - names.keys()):
        raise InputError(f"{path}: classes: must be the model's, {', '.join(names)} (found {', '.join(other)})")
    if not thresholds and points.sets is None:
        reasons = "; ".join(
            f"{what}: {why}" for what, why in points.refused.items() if what.endswith(f", {sensitivity}")
        )
        raise InputError(f"{path}: {sensitivity}: must have a point of one class or more (found none; {reasons})")
    chosen = {names[label]: value for label, value in thresholds.items()}
    digest = hashlib.sha256(json.dumps(points.document(), sort_keys=True).encode()).hexdigest()[:12]
    sets = points.sets and replace(
        points.sets, least={names[label]: value for label, value in points.sets.least.items()}
    )
    used = f"{sensitivity} {digest}"
    coarse = None
    if coarse_step is not None:
        passes = points.coarse.get(sensitivity, {})
        if str(coarse_step) not in passes:
            rule = f"must hold a first pass at {coarse_step} s for sensitivity {sensitivity}, which loses little"
            raise InputError(f"{path}: coarse: {rule} (found {', '.join(passes) or 'none'})")
        coarse, used = passes[str(coarse_step)], f"{used} coarse {coarse_step}"
    return replace(classifier, thresholds=chosen, sensitivity=used, sets=sets, coarse=coarse)
