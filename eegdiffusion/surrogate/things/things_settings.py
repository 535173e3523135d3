"""Settings of the surrogate corpora."""

from typing import Annotated

from annotated_types import Ge, Gt

from eegdiffusion.core.runtime.settings import settings

STIMULI = ("objects", "tangrams", "collection")
"""What the corpora show: objects in scenes, tangrams, or objects of which no EEG is made."""


@settings
class SurrogateThings:
    """How the corpora are made.

    Attributes:
        seed: of everything that is drawn.
        subjects: how many.
        concepts: training concepts, a drawing each.
        exemplars: pictures of each training concept.
        test_concepts: test concepts, one picture each.
        test_repetitions: of a test picture in each of the four sessions.
        tangrams, test_tangrams: figures of the tangram corpus.
        pictures: of the collection that has no EEG.
        sfreq: of the recordings, Hz; THINGS-EEG2 has 1000.
        snr: image-specific part of a single response over the background, as standard deviations.
    """

    seed: Annotated[int, Ge(0)] = 20
    subjects: Annotated[int, Ge(1)] = 3
    concepts: Annotated[int, Ge(4)] = 120
    exemplars: Annotated[int, Ge(1)] = 5
    test_concepts: Annotated[int, Ge(2)] = 40
    test_repetitions: Annotated[int, Ge(1)] = 20
    tangrams: Annotated[int, Ge(4)] = 60
    test_tangrams: Annotated[int, Ge(2)] = 20
    pictures: Annotated[int, Ge(1)] = 600
    sfreq: Annotated[float, Ge(200)] = 250.0
    snr: Annotated[float, Gt(0)] = 0.12
