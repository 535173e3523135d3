"""The DAGs' modules are imported as Airflow does: from their folder."""

import sys

from tests.dags.airflow_home import DAGS

sys.path.append(str(DAGS))
