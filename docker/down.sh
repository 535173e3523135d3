#!/usr/bin/env bash
# Stop the services of compose.yaml: `make down`. Data stay in their volumes.
set -euo pipefail
cd "$(dirname "$0")"
. ./installation.sh
if [ ! -f .env ]; then
  running=$($engine ps --filter "label=eeg.installation=$installation" --format '{{.Label "com.docker.compose.project"}}' 2>/dev/null | sort -u | head -n 1 || true)
  if [ -n "$running" ]; then
    refuse "was lost, and services of this folder run; copy it back from where it is kept, or stop them: $compose --project-name $running down"
  fi
  refuse "is not there: 'make up' writes it, and nothing of this folder runs"
fi
check_settings
own_settings
$compose --file compose.yaml down "$@"
