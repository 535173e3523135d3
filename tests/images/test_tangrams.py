import numpy as np
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora import tangrams
from tests.things_fixture import write_tangram


def test_pieces_have_their_exact_areas(tmp_path):
    write_tangram(tmp_path / "a.svg")  # 80 x 40: pieces of 10 x 20
    mask = tangrams.piece_mask(tangrams.read_tangram(tmp_path / "a.svg"), 400, margin=0.0)
    assert mask.shape == (400, 400)
    assert set(np.unique(mask)) == set(range(8))
    areas = np.bincount(mask.ravel())[1:]
    assert np.abs(areas / (50 * 100) - 1).max() < 0.04  # five pixels to a unit
    rows, columns = np.nonzero(mask)
    assert abs(rows.mean() - 200) < 2
    assert abs(columns.mean() - 200) < 2
    assert mask[:145].max() == 0
    assert mask[200, 30] == 1
    assert mask[200, 370] == 7


def test_a_wide_and_a_narrow_box_keep_proportions(tmp_path):
    write_tangram(tmp_path / "a.svg", box="-100 -100 280 240")
    mask = tangrams.piece_mask(tangrams.read_tangram(tmp_path / "a.svg"), 280, margin=0.0)
    assert np.abs(np.bincount(mask.ravel())[1:] / 200 - 1).max() < 0.2


def test_a_matrix_is_applied(tmp_path):
    write_tangram(tmp_path / "plain.svg")
    write_tangram(tmp_path / "turned.svg", transform="matrix(0 1 -1 0 60 -20)")
    plain, turned = (tangrams.read_tangram(tmp_path / f"{name}.svg").pieces for name in ("plain", "turned"))
    assert np.allclose(turned[3], np.c_[60 - plain[3][:, 1], plain[3][:, 0] - 20])


def test_the_picture_is_grey_on_white(tmp_path):
    write_tangram(tmp_path / "a.svg")
    picture = np.asarray(tangrams.draw_image(tangrams.read_tangram(tmp_path / "a.svg"), 64))
    assert picture.shape == (64, 64, 3)
    assert picture[0, 0, 0] == 255
    assert picture[32, 8].max() == 211


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('id="7"', 'id="8"', "ids 1 to 7"),
        ('viewBox="0 0 80.0 40.0"', "", "viewBox"),
        ("5,10 15,10 15,30 5,30", "5,10 15,10", "three or more pairs"),
        ("</svg>", "", "must be a tangram"),
    ],
)
def test_another_drawing_is_refused(tmp_path, old, new, rule):
    path = tmp_path / "a.svg"
    write_tangram(path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=rule):
        tangrams.read_tangram(path)
