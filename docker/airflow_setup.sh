#!/usr/bin/env bash
# Bring Airflow's database up to date, with the pools and the accounts; safe to run again.
set -euo pipefail
airflow db migrate
airflow pools import "$EEG_REPOSITORY/dags/pools.json"
if [ -n "${EEG_CPUS:-}" ]; then airflow pools set cpu "$EEG_CPUS" "Cores of this host"; fi
gpus=$(tr ', ' '\n\n' <<< "${EEG_GPUS:-}" | sed '/^$/d' | sort -u | wc -l)
if [ "$gpus" -gt 0 ]; then airflow pools set gpu "$gpus" "GPUs $EEG_GPUS of this host"; fi

# The password is asked for twice: it stands in no argument.
account() {
  airflow users create --username "$1" --role "$2" --firstname Workflow --lastname "$1" --email "$1@localhost" \
    < <(cat "/run/secrets/airflow_$1"; echo; cat "/run/secrets/airflow_$1"; echo)
}
account admin Admin
account operator User
