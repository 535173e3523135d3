#!/usr/bin/env bash
# Run once by the postgres image, on an empty volume: MLflow's database beside Airflow's.
set -euo pipefail
psql --set ON_ERROR_STOP=1 --set password="$POSTGRES_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE mlflow LOGIN PASSWORD :'password';
CREATE DATABASE mlflow OWNER mlflow;
SQL
