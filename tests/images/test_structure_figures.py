"""Structure maps are drawn as what they are."""

import numpy as np
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.figures.structure_figures import PALETTE, draw_maps


def test_pieces_are_drawn_in_colours_on_white():
    mask = np.zeros((1, 8, 4, 4), np.float32)
    mask[0, 0], mask[0, 3, 0, 0], mask[0, 0, 0, 0] = 1, 1, 0
    (drawn,) = draw_maps(mask)
    assert (drawn[1:] == 255).all()
    assert np.array_equal(drawn[0, 0], np.round(255 * PALETTE[3]))


def test_one_channel_is_drawn_in_grey_and_three_in_their_colours():
    (edges,) = draw_maps(np.full((1, 1, 4, 4), 0.5, np.float16))
    assert edges.shape == (4, 4, 3)
    assert (edges == 128).all()
    assert edges.dtype == np.uint8
    colours = np.broadcast_to(np.array([1.0, 0.2, 1.5])[:, None, None], (2, 3, 4, 4))
    assert draw_maps(colours)[1, 0, 0].tolist() == [255, 51, 255]


def test_other_maps_are_refused():
    with pytest.raises(InputError, match=r"structure: must have \[1, 3, 8\] channels \(found 2\)"):
        draw_maps(np.zeros((1, 2, 4, 4)))
