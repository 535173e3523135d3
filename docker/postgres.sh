#!/usr/bin/env bash
# Run once by the postgres image, on an empty volume: a role for each service, which owns its databases and is no
# superuser, and which alone may connect to them.
set -euo pipefail
psql --set ON_ERROR_STOP=1 --username postgres --dbname postgres <<'SQL'
\set airflow `cat /run/secrets/database_airflow`
\set mlflow `cat /run/secrets/database_mlflow`
CREATE ROLE airflow LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'airflow';
CREATE ROLE mlflow LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'mlflow';
CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE mlflow_accounts OWNER mlflow;
REVOKE ALL ON DATABASE airflow, mlflow, mlflow_accounts, postgres, template1 FROM PUBLIC;
SQL
