#!/usr/bin/env bash
# Bring Airflow's database up to date, with the pools and the administrator; safe to run again.
set -euo pipefail
airflow db migrate
airflow pools import "$EEG_REPOSITORY/dags/pools.json"
if [ -n "${EEG_CPUS:-}" ]; then airflow pools set cpu "$EEG_CPUS" "Cores of this host"; fi
if [ -n "${EEG_GPUS:-}" ]; then
  gpus=${EEG_GPUS//[^,]/}
  airflow pools set gpu "$((${#gpus} + 1))" "GPUs $EEG_GPUS of this host"
fi
# A password may begin with "-".
airflow users create --username admin --password="$AIRFLOW_PASSWORD" --role Admin \
  --firstname Workflow --lastname Operator --email admin@localhost
