"""A local Airflow on ``dags/``: ``python -m components.orchestration.airflow_server``.

Without arguments it starts ``airflow standalone``; with some it is the ``airflow`` command on the same home, e.g.
``... airflow_server dags trigger eeg_retrain --conf '{"overrides": {"pretrain_ssmdp.seed": 1}}'``.
"""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("AIRFLOW_HOME", ROOT / ".airflow"))
PASSWORDS = "simple_auth_manager_passwords.json.generated"
AIRFLOW = str(Path(sys.executable).parent / "airflow")


def environment() -> dict[str, str]:
    """Airflow's settings; what the caller has set takes precedence."""
    port = os.environ.get("AIRFLOW_PORT", "8080")
    settings = {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # Airflow renews the token of a task only while it is valid; training blocks for longer than the ten minutes
        # that are its default.
        "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": "86400",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "900",
        "EEG_REPOSITORY": str(ROOT),
    }
    return settings | os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def password() -> str:
    """Return the password of ``admin``, made at the first start."""
    path = HOME / PASSWORDS
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}) + "\n")
    return json.loads(path.read_text())["admin"]


def main(arguments: list[str]) -> None:
    """Replace this process by Airflow."""
    settings = environment()
    if not arguments:
        secret = password()
        subprocess.run([AIRFLOW, "db", "migrate"], env=settings, check=True, stdout=subprocess.DEVNULL)
        # Pools that are there already keep their size: an operator may have changed it.
        listed = subprocess.run([AIRFLOW, "pools", "list", "-o", "json"], env=settings, check=True, capture_output=True)
        known = {pool["pool"] for pool in json.loads(listed.stdout[listed.stdout.index(b"[") :])}
        for name, pool in json.loads((ROOT / "dags" / "pools.json").read_text()).items():
            if name not in known:
                words = [AIRFLOW, "pools", "set", name, str(pool["slots"]), pool["description"]]
                subprocess.run(words, env=settings, check=True, stdout=subprocess.DEVNULL)
        address = settings["AIRFLOW__API__BASE_URL"]
        print(f"Airflow: {address}  user: admin  password: {secret}  (Ctrl-C ends it)", flush=True)
    os.execve(AIRFLOW, [AIRFLOW, *(arguments or ["standalone"])], settings)


if __name__ == "__main__":
    main(sys.argv[1:])
