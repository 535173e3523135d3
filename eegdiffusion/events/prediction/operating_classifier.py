"""A classifier that decides by operating points."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.prediction.prediction import Classifier
from eegdiffusion.events.prediction.sensitivity import OperatingPoints


def with_points(classifier: Classifier, points: OperatingPoints, sensitivity: str, path: Path) -> Classifier:
    """Return a classifier whose events are decided by its operating points.

    Args:
        classifier: the classifier.
        points: operating points of the same model.
        sensitivity: one of their levels.
        path: file of the points, for errors.

    Raises:
        InputError: the points are of another model, of classes that it has not, or there is none of this sensitivity.
    """
    if points.model_id != classifier.model_id:
        raise InputError(
            f"{path}: model: must be the one that is asked, {classifier.name} (found points of {points.model}, "
            f"identifier {points.model_id}); choose them anew on its predictions"
        )
    names = {name.lower(): name for name in classifier.preprocessing.classes}
    thresholds = points.thresholds(sensitivity)
    if other := sorted(thresholds.keys() - names.keys()):
        raise InputError(f"{path}: classes: must be the model's, {', '.join(names)} (found {', '.join(other)})")
    if not thresholds:
        reasons = "; ".join(
            f"{what}: {why}" for what, why in points.refused.items() if what.endswith(f", {sensitivity}")
        )
        raise InputError(f"{path}: {sensitivity}: must have a point of one class or more (found none; {reasons})")
    chosen = {names[label]: value for label, value in thresholds.items()}
    digest = hashlib.sha256(json.dumps(points.document(), sort_keys=True).encode()).hexdigest()[:12]
    return replace(classifier, thresholds=chosen, sensitivity=f"{sensitivity} {digest}")
