import pytest

from tests.predict import tiny_model


@pytest.fixture(scope="session")
def registered(tmp_path_factory):
    """A registered tiny model, the champion, in a local store: (tracking URI, model URI)."""
    return tiny_model.register(tmp_path_factory.mktemp("model"))
