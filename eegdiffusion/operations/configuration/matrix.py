"""Settings that no stage reads as a whole: the axes of the graph."""

from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings


@settings
class Matrix:
    """Section ``matrix``: which items the stages of ``dvc.yaml`` run for."""

    backbones: list[Name]
    """Entries of the section ``backbones`` that are pretrained, each one run of ``pretrain_ssmdp``."""
    labels: list[Literal["recorded", "shuffled"]]
    """Labels that classifiers of EEG events are trained on; ``shuffled`` is a control that must score at chance.
    Without any, no classifier is trained, and the report leaves EEG events out."""
    probes: list[Name]
    """Entries of the section ``latents`` that are probed, each one run of ``probe_latents``."""
    seeds: Annotated[list[Annotated[int, Ge(0)]], MinLen(1)]
    """Seeds of the trainings, at least one; tables show mean and standard deviation over them."""
    baselines: list[Literal["sparcnet", "contrawr", "band_power"]]
    """Baselines that are trained on the same windows and splits: PyHealth's networks, a regression on band powers."""
    generated: list[Name]
    """Entries of ``image_corpora`` whose images the generator encodes, each one run of ``prepare_generator``."""
