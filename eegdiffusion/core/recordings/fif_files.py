"""Opening of FIF recordings with MNE, whatever the case of their ending, and which of them are parts of others."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import finalize

from eegdiffusion.core.recordings.fif_checks import check_fif, in_lower_case

if TYPE_CHECKING:
    import mne


def open_fif(path: Path, **options: Any) -> "mne.io.BaseRaw":
    """Open a FIF recording, its samples staying on disk; MNE takes the ending ``.gz`` in lower case alone.

    Args:
        path: the file; the first one of a recording that is split.
        **options: further arguments of :func:`mne.io.read_raw_fif`.

    Raises:
        InputError: its tags promise more than the file has, or lead to another folder.
        Exception: whatever MNE raises on a file that is no continuous recording.
    """
    import mne

    check_fif(path)
    named, folder = in_lower_case(path)
    raw = mne.io.read_raw_fif(named, **options)
    if folder:
        finalize(raw, folder.cleanup)  # the link serves as long as samples are read
    return raw


def previous_part(path: Path) -> str | None:
    """Return the name of the part before a file, of a recording that was split; None where it is no further part.

    Raises:
        InputError: its tags promise more than the file has, or lead to another folder.
        Exception: whatever MNE raises on a file that is no FIF file.
    """
    from mne._fiff.constants import FIFF
    from mne._fiff.open import fiff_open
    from mne._fiff.tag import read_tag
    from mne._fiff.tree import dir_tree_find

    check_fif(path)
    named, folder = in_lower_case(path)
    file, tree, _ = fiff_open(named)
    with folder or nullcontext(), file:
        for node in dir_tree_find(tree, FIFF.FIFFB_REF):
            tags = {entry.kind: entry.pos for entry in node["directory"]}
            role, name = (tags.get(kind) for kind in (FIFF.FIFF_REF_ROLE, FIFF.FIFF_REF_FILE_NAME))
            if role is not None and int(read_tag(file, role).data.item()) == FIFF.FIFFV_ROLE_PREV_FILE:
                return Path(str(read_tag(file, name).data)).name if name is not None else "of no name"
    return None
