# Sourced by up.sh and down.sh, in the folder docker/: what tells this installation from others of the same engine.
compose=${COMPOSE:-docker compose}
case $compose in podman*) engine=${ENGINE:-podman} ;; *) engine=${ENGINE:-docker} ;; esac
here=$(cd .. && pwd -P)

# Of the folder's real path: containers, images, volumes and networks of two clones bear different names. As in dags/.
installation=$(printf %s "$here" | sha256sum | cut -c1-8)

# As compose reads it: editors of other systems end lines otherwise, and put values into quotes.
setting() { sed -n "s/\r$//; s/^$1=//p" .env | tail -n 1 | sed -E "s/^\"(.*)\"$/\1/; s/^'(.*)'$/\1/"; }

# The file's settings, and not those of the shell, which would come first: else another project, or folder, is started.
own_settings() {
  local name
  for name in $(sed -n 's/^\([A-Z_0-9]*\)=.*/\1/p' .env); do
    case $name in
      EEG_SIGNING_KEY | EEG_TRUSTED_KEYS) if [ -n "$(setting "$name")" ]; then unset "$name"; fi ;; # of `eeg key where`
      *) unset "$name" ;;
    esac
  done
}

refuse() {
  printf 'docker/.env: %s\n' "$@" >&2
  exit 65
}

# The settings are of this folder, not of another that they were copied from.
check_settings() {
  local folder
  folder=$(setting EEG_REPOSITORY)
  if [ "$folder" = "$here" ]; then return; fi
  if [ -d "$folder" ]; then
    refuse "EEG_REPOSITORY: names another folder, $folder, whose services and data it would take; remove docker/.env of $here, and 'make up' writes its own"
  fi
  refuse "EEG_REPOSITORY: names $folder, which is not there; if it was moved here, set EEG_REPOSITORY=$here, and its data go on; else remove docker/.env"
}

# Tasks of a clone that was moved are known by the folder that it is in now; volumes and images keep their names.
follow_move() {
  if [ "$(setting EEG_INSTALLATION)" != "$installation" ]; then
    sed "s/^EEG_INSTALLATION=.*/EEG_INSTALLATION=$installation/" .env > .env.new
    mv .env.new .env
  fi
}

# Ids of GPUs, as in dags/_settings.py: `all` and ranges are none.
check_gpus() {
  local gpus
  gpus=$(setting EEG_GPUS)
  if ! [[ $gpus =~ ^[\ ,]*([0-9]+|(GPU|MIG)-[0-9A-Za-z/-]+)?([\ ]*,[\ ]*([0-9]+|(GPU|MIG)-[0-9A-Za-z/-]+)?)*[\ ]*$ ]]; then
    refuse "EEG_GPUS: must be ids of GPUs, e.g. 0,1 or GPU-5a1b, or empty (found '$gpus')"
  fi
}

# Data of an earlier docker/.env of this folder, whose passwords fresh settings would not have.
check_volumes() {
  local project=$1 volumes
  volumes=$($engine volume ls --quiet --filter "label=com.docker.compose.project=$project" 2>/dev/null | grep "^${project}_" | tr '\n' ' ' || true)
  if [ -n "$volumes" ]; then
    refuse "is not there, but volumes of this folder are, with its passwords: $volumes" \
      "copy it back from where it is kept; or remove the volumes with all that they hold: $engine volume rm $volumes" \
      "if they are of a clone that was here before and has moved: COMPOSE_PROJECT_NAME=another make up"
  fi
}

# A number, and one that the system knows; who listens there already is this project, or nobody.
check_port() {
  local name=$1 port running
  port=$(setting "$name")
  if ! [[ $port =~ ^[0-9]{1,5}$ ]] || ((10#$port < 1 || 10#$port > 65535)); then
    refuse "$name: must be a port, 1 to 65535 (found '$port')"
  fi
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    running=$($engine ps --quiet --filter "label=com.docker.compose.project=$(setting COMPOSE_PROJECT_NAME)" --filter "publish=$port" 2>/dev/null || true)
    if [ -z "$running" ]; then refuse "$name: port $port is in use by another program; choose another"; fi
  fi
}
