"""Which windows are alike, so that intervals and folds keep them together."""

from collections.abc import Mapping

import numpy as np
import pandas

from eegdiffusion.core.storage.splits import is_unknown


def window_groups(windows: pandas.DataFrame, subject_of: Mapping[str, str]) -> np.ndarray:
    """Return what the windows of a table belong to.

    Args:
        windows: a row a window, with its ``recording``.
        subject_of: recording -> subject.

    Returns:
        (windows,) text: the subject, or the window itself where the corpus does not tell subjects apart.
    """
    table = windows.reset_index(drop=True)
    subjects = table["recording"].map(subject_of)
    alone = table.index.map("window {}".format).to_series(index=table.index)
    return subjects.mask(subjects.map(is_unknown), alone).to_numpy(str)
