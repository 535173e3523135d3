#!/usr/bin/env bash
# Build SzCORE's image of a registered model of seizures, verified and with its signature, from the root of the repository:
#
#   docker/szcore/build.sh eegdiffusion-szcore lft-seizures@champion [operating_points.json]
#
# The image eeg-workflow-train comes first (docker/Dockerfile, target train), or TRAIN names another. Needs BuildKit.
set -euo pipefail
image=${1:?name of the image}
model=${2:?registered model, such as lft-seizures@champion}
points=${3:-}
engine=${ENGINE:-docker}
cd "$(dirname "$0")/../.."

rm -rf build/szcore
mkdir -p build/szcore
.venv/bin/python docker/szcore/registered_files.py "$model" build/szcore
if [ -n "$points" ]; then cp "$points" build/szcore/operating_points.json; fi
DOCKER_BUILDKIT=1 "$engine" build --build-arg "TRAIN=${TRAIN:-eeg-workflow-train}" --tag "$image" --file docker/szcore/Dockerfile .
