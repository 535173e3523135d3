"""A tiny classifier as a training leaves it, with real windows that it tells apart."""

import pytest

from tests.predict import tiny_model


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Folder of finetune_lft's: lft/, backbone/, latents.json, preprocessing.json."""
    return tiny_model.write(tmp_path_factory.mktemp("modules") / "trained")


@pytest.fixture(scope="session")
def windows():
    """Windows (n, 22, 1000) of a recording, in 100 uV."""
    return tiny_model.windows()
