"""N-way top-k accuracy: does a classifier see in a reconstruction what it sees in the image seen?"""

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.retrieval import top_k
from eegdiffusion.images.metrics.image_arrays import check_alike, check_rows


def n_way_top_k(seen: np.ndarray, reconstructed: np.ndarray, ways: int, k: int) -> np.ndarray:
    """Compute how probably the image's class is among the first k of its reconstruction's, among ``ways`` classes.

    The class is what the classifier takes the image seen for; the others are drawn at random. The papers repeat the
    draw 40 to 50 times (DreamDiffusion, BrainVis, GWIT: 50-way top-1); this is the exact expectation over all draws.

    Args:
        seen: (n, classes) logits of the images seen.
        reconstructed: (n, classes) logits of their reconstructions.
        ways: number of classes that are compared, the right one included.
        k: number of first ranks that count.

    Returns:
        (n,) in 0..1; chance is k / ways.

    Raises:
        InputError: shapes that differ, fewer than two rows, values that are not finite, or numbers of classes that do
            not fit.
    """
    check_rows("seen", seen)
    check_alike("reconstructed", reconstructed, "seen", seen)
    check_rows("reconstructed", reconstructed)
    classes = seen.shape[1]
    if not 1 <= k < ways <= classes:
        raise InputError(f"ways, k: must be 1 <= k < ways <= {classes} classes (found {ways}, {k})")
    right = seen.argmax(1)
    better = (reconstructed >= reconstructed[np.arange(len(reconstructed)), right][:, None]).sum(1) - 1
    return top_k(better, classes, ways, k)
