#!/usr/bin/env bash
# What docker/compose.yaml needs of the postgres image's entry point: on an empty volume, a cluster with the superuser
# postgres and the password of POSTGRES_PASSWORD_FILE, then the scripts of /docker-entrypoint-initdb.d; and then the
# server.
set -euo pipefail

if [ "$(id -u)" = 0 ]; then
  chown postgres:postgres "$PGDATA"
  chmod 700 "$PGDATA"
  exec setpriv --reuid postgres --regid postgres --init-groups -- bash "$0"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username postgres --pwfile "$POSTGRES_PASSWORD_FILE" --auth-local trust --auth-host scram-sha-256
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl --wait --options "-c listen_addresses=''" start
  for script in /docker-entrypoint-initdb.d/*.sh; do
    # As the image does: a script that may not be executed is sourced.
    if [ -x "$script" ]; then "$script"; else . "$script"; fi
  done
  pg_ctl --wait --mode fast stop
fi
exec postgres -c "listen_addresses=*"
