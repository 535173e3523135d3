#!/usr/bin/env bash
# Write bills of materials (CycloneDX, JSON): of .venv, and of each image of this clone that is there: its Python packages,
# with the hashes of the lock, and those of Debian. Checking them against the schema would take a minute for each.
#
#   docker/sbom.sh [FOLDER]      default: build/sbom
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/sbom}
engine=${ENGINE:-docker}
bin=.venv/bin
images=$(sed -n 's/^EEG_IMAGE=//p' docker/.env 2>/dev/null | tail -n 1 || true)
images=${images:-eeg-workflow}
mkdir -p "$out"

"$bin/cyclonedx-py" environment --no-validate --pyproject pyproject.toml --output-reproducible --output-file "$out/environment.json" "$bin/python"
echo "$out/environment.json"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
list='import importlib.metadata as m
for d in m.distributions(): print(d.name, d.version)'
# Of the lock, what the image has; a package that is not in the lock stands there without a hash.
lines='NR == FNR { name = $1; gsub(/[-_.]+/, "-", name); has[tolower(name)] = $0; next }
/^[^ ]/ { split($1, pin, "=="); name = pin[1]; gsub(/[-_.]+/, "-", name); shown = (name in has) && has[name] ~ (" " pin[2] "$")
          if (shown) delete has[name] }
shown
END { for (name in has) { split(has[name], pair, " "); print name "==" pair[2] } }'
for target in data train airflow mlflow; do
  image=$images-$target
  if ! "$engine" image inspect "$image" >/dev/null 2>&1; then
    echo "docker/sbom.sh: $image: no such image here; 'make up' builds it" >&2
    continue
  fi
  "$engine" run --rm --network none "$image" python -c "$list" >"$work/packages"
  awk "$lines" "$work/packages" requirements.lock >"$work/requirements"
  "$bin/cyclonedx-py" requirements --no-validate --output-reproducible --output-file "$out/$target.python.json" "$work/requirements"
  "$engine" run --rm --network none "$image" cat /var/lib/dpkg/status >"$work/status"
  arch=$("$engine" run --rm --network none "$image" dpkg --print-architecture)
  "$bin/debsbom" generate --distro-arch "$arch" --from-pkglist --sbom-type cdx --out - <"$work/status" >"$out/$target.debian.json"
  printf '%s\n' "$out/$target.python.json" "$out/$target.debian.json"
done
