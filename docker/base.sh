#!/usr/bin/env bash
# Make an image that can stand for the Dockerfile's BASE where no container registry is reached:
#
#   docker/base.sh NAME [PYTHON]      then: docker build --build-arg BASE=NAME ...
#
# It is this system's Debian release (debootstrap) with this machine's Python 3.12, which must be one built under a prefix
# of its own (pyenv, uv). Needs root, debootstrap, and Docker or podman (ENGINE).
set -euo pipefail
name=$1
python=${2:-.venv/bin/python}
engine=${ENGINE:-docker}

prefix=$("$python" -c 'import sys; print(sys.base_prefix)')
if [ "$prefix" = /usr ]; then
  echo "docker/base.sh: $python belongs to the system; name a Python 3.12 of pyenv or uv" >&2
  exit 1
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
. /etc/os-release
# libpython3-stdlib brings the shared libraries that any Python's standard library is linked with.
debootstrap --variant=minbase --include=ca-certificates,libpython3-stdlib "$VERSION_CODENAME" "$root" >&2
tar -C "$prefix" --exclude=__pycache__ --exclude='*.a' --exclude='lib/python3.12/test' \
  --exclude='lib/python3.12/site-packages' -c bin/python3.12 lib | tar -C "$root/usr/local" -x
mkdir "$root/usr/local/lib/python3.12/site-packages"
ln -s python3.12 "$root/usr/local/bin/python3"
ln -s python3.12 "$root/usr/local/bin/python"
# A machine behind a proxy trusts more than Debian does.
if [ -s /etc/ssl/certs/ca-certificates.crt ]; then
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
fi
chroot "$root" ldconfig
chroot "$root" python3 -m ensurepip >&2
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
tar -C "$root" -c . | "$engine" import - "$name" >&2
