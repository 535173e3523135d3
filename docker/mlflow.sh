#!/bin/sh
# MLflow's server, with accounts; the key of its sessions can be given by a variable alone.
set -eu
MLFLOW_FLASK_SERVER_SECRET_KEY=$(cat /run/secrets/mlflow_session)
export MLFLOW_FLASK_SERVER_SECRET_KEY
exec mlflow server --host 0.0.0.0 --port 5000 --workers 2 --app-name basic-auth
