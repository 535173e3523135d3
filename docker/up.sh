#!/usr/bin/env bash
# Start the services of compose.yaml: `make up`. The first time, docker/.env is written for this host, and docker/secrets.
#
# COMPOSE names another client than `docker compose`, ENGINE one than `docker`; BASE an image to build on where no registry
# is reached (base.sh).
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
umask 077
. ./installation.sh
. ./secrets.sh

# An image by its digest, as the registry has it now; by its name where there is no registry.
pinned() {
  local image digest
  image=$(sed -n "s/^$1=//p" images.env)
  $engine pull --quiet "$image" >/dev/null 2>&1 || true
  digest=$($engine image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$image" 2>/dev/null | head -n 1 || true)
  echo "${digest:-$image}"
}

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
  images=$(for name in POSTGRES_IMAGE STORE_IMAGE GATE_IMAGE; do echo "$name=$(pinned $name)"; done)
  cat > .env.new <<ENV
# Settings of compose.yaml; written once by up.sh, never committed. The secrets are in docker/secrets.
COMPOSE_PROJECT_NAME=$project
EEG_INSTALLATION=$installation
EEG_REPOSITORY=$here
EEG_IMAGE=eeg-workflow-$installation
$images
EEG_UID=$(id -u)
EEG_GID=$(id -g)
# Group that may use the Docker socket; cores for tasks; ids of the GPUs for compose.gpu.yaml; more host folders for tasks,
# by ':', to write (DVC's remote) and to read (corpora).
DOCKER_SOCKET=$socket
DOCKER_GID=$group
EEG_CPUS=$(nproc)
EEG_GPUS=
EEG_MOUNTS=$mounts
EEG_DATA_MOUNTS=
AIRFLOW_PORT=${AIRFLOW_PORT:-8080}
MLFLOW_PORT=${MLFLOW_PORT:-5000}
# The name by which others reach this host, and its certificate: files of PEM.
EEG_SITE=
EEG_TLS_CERTIFICATE=
EEG_TLS_KEY=
# The site's signing key and the public keys that it trusts, on this host (\`eeg key where\`).
EEG_SIGNING_KEY=${EEG_SIGNING_KEY:-}
EEG_TRUSTED_KEYS=${EEG_TRUSTED_KEYS:-}
ENV
  if [ ! -d secrets ]; then write_secrets; fi
  mv .env.new .env
fi
# Settings of a time before there were keys.
for name in EEG_SIGNING_KEY EEG_TRUSTED_KEYS; do
  grep -q "^$name=" .env || echo "$name=${!name:-}" >> .env
done
check_settings
follow_move
own_settings
check_secrets
check_gpus
check_port AIRFLOW_PORT
check_port MLFLOW_PORT
write_site
# What the scheduler and tasks write to; the rest of the repository they read.
mkdir -p ../runs ../.work ../.dvc/cache ../.dvc/tmp ../models/champions ../models/runs

files=(-f compose.yaml)
if [[ $(setting EEG_GPUS) == *[0-9A-Z]* ]]; then files+=(-f compose.gpu.yaml); fi
if [ -n "$(setting EEG_TLS_CERTIFICATE)" ]; then files+=(-f compose.tls.yaml); fi
$compose "${files[@]}" --profile images build ${BASE:+--build-arg "BASE=$BASE"}
if ! $compose "${files[@]}" up --detach --wait; then
  # What ended is named above by its name only.
  $compose "${files[@]}" logs --tail 20 store-setup mlflow-setup airflow-setup >&2
  exit 1
fi
echo "Airflow  http://localhost:$(setting AIRFLOW_PORT)  (admin, operator; the passwords are in docker/secrets/airflow_*)"
echo "MLflow   http://localhost:$(setting MLFLOW_PORT)  (admin; the password is in docker/secrets/mlflow_accounts; clients outside of the containers: export MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=false MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=false)"
