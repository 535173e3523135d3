"""The DAGs' modules are imported as Airflow does: from their folder."""

import sys

import pytest

from tests.dags.airflow_home import DAGS, migrate, start

sys.path.append(str(DAGS))


@pytest.fixture(scope="session")
def migrated(make_once):
    """A home of Airflow with its database and pools, from which others are copied."""
    return make_once("airflow", migrate)


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory, migrated):
    """A home folder for all tests of a process."""
    root = tmp_path_factory.mktemp("airflow")
    return start(root / "home", root / "none", migrated).home
