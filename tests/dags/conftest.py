"""The DAGs' modules are imported as Airflow does: from their folder."""

import sys

import pytest

from tests.dags.airflow_home import DAGS, start

sys.path.append(str(DAGS))


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory):
    """A home folder, set up once for all tests of a process."""
    root = tmp_path_factory.mktemp("airflow")
    return start(root / "home", root / "none").home
