"""The engine, and images built from ``docker/Dockerfile`` when a test first asks for them."""

import sys

import pytest

from tests.containers.engine import engine as open_engine
from tests.containers.stack import running
from tests.dags.airflow_home import DAGS

sys.path.append(str(DAGS))


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    with open_engine(tmp_path_factory.mktemp("engine")) as found:
        yield found


@pytest.fixture(scope="session")
def image(engine):
    """A function that builds a target once and names its image."""
    built = {}

    def build(target: str) -> str:
        if target not in built:
            built[target] = engine.build(target)
        return built[target]

    return build


@pytest.fixture(scope="session")
def stack(engine, image, tmp_path_factory):
    """All services, as ``make up`` starts them."""
    for target in ("data", "train", "airflow", "mlflow"):
        image(target)
    with running(engine, tmp_path_factory.mktemp("stack")) as services:
        yield services
