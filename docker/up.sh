#!/usr/bin/env bash
# Start the services of compose.yaml: `make up`. The first time, docker/.env is written with fresh secrets for this host.
#
# COMPOSE names another client than `docker compose`, ENGINE one than `docker`; BASE an image to build on where no registry
# is reached (base.sh).
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
umask 077
. ./installation.sh

secret() { head -c 32 /dev/urandom | base64 | tr -d '\n' | tr '/+' '_-'; }

# DVC's remote may be a folder outside of the repository, which tasks must see at the same path.
remote() {
  local name url
  name=$(cd .. && dvc config core.remote)
  url=$(cd .. && dvc remote list | awk -v name="$name" '$1 == name {print $2}')
  case $url in
    *://* | "") ;;
    *) mkdir -p "$url" && echo "$url" ;;
  esac
}

if [ ! -f .env ]; then
  project=${COMPOSE_PROJECT_NAME:-eeg-workflow-$installation}
  check_volumes "$project"
  socket=${DOCKER_SOCKET:-/var/run/docker.sock}
  group=$(stat -c %g "$socket")
  mounts=$(remote)
  cat > .env.new <<ENV
# Settings and secrets of compose.yaml; written once by up.sh, never committed.
COMPOSE_PROJECT_NAME=$project
EEG_INSTALLATION=$installation
EEG_REPOSITORY=$here
EEG_IMAGE=eeg-workflow-$installation
EEG_UID=$(id -u)
EEG_GID=$(id -g)
# Group that may use the Docker socket; cores for tasks; ids of the GPUs for compose.gpu.yaml; more host folders for tasks, by ':'.
DOCKER_SOCKET=$socket
DOCKER_GID=$group
EEG_CPUS=$(nproc)
EEG_GPUS=
EEG_MOUNTS=$mounts
AIRFLOW_PORT=${AIRFLOW_PORT:-8080}
MLFLOW_PORT=${MLFLOW_PORT:-5000}
AIRFLOW_PASSWORD=$(secret)
AIRFLOW_FERNET_KEY=$(secret)
AIRFLOW_SECRET_KEY=$(secret)
AIRFLOW_JWT_SECRET=$(secret)
POSTGRES_PASSWORD=$(secret | tr -d '=')
S3_ACCESS_KEY=eeg
S3_SECRET_KEY=$(secret | tr -d '=')
ENV
  mv .env.new .env
fi
check_settings
check_port AIRFLOW_PORT
check_port MLFLOW_PORT

files=(-f compose.yaml)
if grep -q '^EEG_GPUS=.' .env; then files+=(-f compose.gpu.yaml); fi
$compose "${files[@]}" --profile images build ${BASE:+--build-arg "BASE=$BASE"}
if ! $compose "${files[@]}" up --detach --wait; then
  # What ended is named above by its name only.
  $compose "${files[@]}" logs --tail 20 store-setup airflow-setup >&2
  exit 1
fi
echo "Airflow  http://localhost:$(setting AIRFLOW_PORT)  (admin; the password is AIRFLOW_PASSWORD in docker/.env)"
echo "MLflow   http://localhost:$(setting MLFLOW_PORT)  (clients outside of the containers: export MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=false MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=false)"
