# Sourced by up.sh, in the folder docker/: writes the secrets of compose.yaml, once, each in a file of docker/secrets.
#
# The folder is its owner's alone; the files in it can be read by whatever user a container has, in which there are
# those alone that its service names.
random() { head -c 32 /dev/urandom | base64 | tr -d '\n=' | tr '/+' '_-'; }

# What an account of the store has in the form that its clients read.
store_key() {
  printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$1" "$2"
}

identity() {
  printf '{"name": "%s", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": [%s]}' "$1" "$1" "$2" "$3"
}

bucket_actions() { printf '"Read:%s", "Write:%s", "List:%s", "Tagging:%s"' "$1" "$1" "$1" "$1"; }

write_secrets() {
  local airflow mlflow tasks dvc artifacts setup
  airflow=$(random) mlflow=$(random) tasks=$(random) dvc=$(random) artifacts=$(random) setup=$(random)
  rm -rf secrets.new
  mkdir -m 700 secrets.new
  (
    cd secrets.new
    umask 022
    for name in postgres airflow_admin airflow_operator airflow_session airflow_jwt mlflow_session; do
      random > "$name"
    done
    # Fernet asks for base64 with its padding.
    printf '%s=' "$(random)" > airflow_fernet
    printf %s "$airflow" > database_airflow
    printf %s "$mlflow" > database_mlflow
    printf 'postgresql+psycopg2://airflow:%s@postgres/airflow' "$airflow" > airflow_connection
    for name in mlflow mlflow_accounts; do
      printf '[%s]\nhost=postgres\ndbname=%s\nuser=mlflow\npassword=%s\n' "$name" "$name" "$mlflow"
    done > mlflow_databases
    cat > mlflow_accounts <<INI
[mlflow]
default_permission = READ
database_uri = postgresql+psycopg2:///?service=mlflow_accounts
admin_username = admin
admin_password = $(random)
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
INI
    printf '[mlflow]\nmlflow_tracking_username = tasks\nmlflow_tracking_password = %s\n' "$tasks" > task_mlflow
    store_key dvc "$dvc" > task_store
    store_key mlflow "$artifacts" > store_mlflow
    store_key setup "$setup" > store_setup
    printf '{"identities": [\n  %s,\n  %s,\n  %s\n]}\n' \
      "$(identity setup "$setup" '"Admin"')" \
      "$(identity dvc "$dvc" "$(bucket_actions dvc)")" \
      "$(identity mlflow "$artifacts" "$(bucket_actions mlflow)")" > store_identities
    : > gate_hosts
  )
  mv secrets.new secrets
}

# The site's name, for the gate; it may be changed in docker/.env.
write_site() {
  local site
  site=$(setting EEG_SITE)
  if [ -n "$site" ] && ! [[ $site =~ ^[A-Za-z0-9.-]+$ ]]; then refuse "EEG_SITE: must be a host's name (found '$site')"; fi
  printf '%s' "${site:+$site 0;}" > secrets/gate_hosts
}

# docker/.env of before there were docker/secrets has passwords that would no longer be looked at.
check_secrets() {
  if grep -q '^POSTGRES_PASSWORD=' .env; then
    refuse "was written by an earlier version, whose databases have one password for all" \
      "keep what is needed of MLflow and the store, then remove docker/.env and its volumes; 'make up' makes both anew"
  fi
  if [ ! -d secrets ]; then
    refuse "is there, and docker/secrets is not, which has its volumes' passwords; copy it back from where it is kept"
  fi
}
