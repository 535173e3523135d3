#!/usr/bin/env bash
# Stop the services of compose.yaml: `make down`. Data stay in their volumes.
set -euo pipefail
cd "$(dirname "$0")"
. ./installation.sh
if [ ! -f .env ]; then refuse "is not there: 'make up' writes it, and nothing of this folder was started with it"; fi
check_settings
$compose --file compose.yaml down "$@"
