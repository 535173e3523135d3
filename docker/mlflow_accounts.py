"""Make the account with which tasks write to MLflow, or set its password: ``python mlflow_accounts.py URL``."""

import base64
import configparser
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

SECRETS = Path("/run/secrets")


def call(url: str, method: str, document: dict, user: str, password: str) -> int:
    """Send a request of MLflow's administrator and return the status of the answer."""
    account = base64.b64encode(f"{user}:{password}".encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {account}"}
    request = urllib.request.Request(url, json.dumps(document).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def main(server: str) -> None:
    """Make the account, or set its password."""
    accounts, task = configparser.ConfigParser(interpolation=None), configparser.ConfigParser(interpolation=None)
    accounts.read(SECRETS / "mlflow_accounts")
    task.read(SECRETS / "task_mlflow")
    admin = (accounts["mlflow"]["admin_username"], accounts["mlflow"]["admin_password"])
    account = {
        "username": task["mlflow"]["mlflow_tracking_username"],
        "password": task["mlflow"]["mlflow_tracking_password"],
    }
    users = f"{server}/api/2.0/mlflow/users"
    made = call(f"{users}/create", "POST", account, *admin)
    if made != 200 and (status := call(f"{users}/update-password", "PATCH", account, *admin)) != 200:
        raise SystemExit(f"{server}: the account {account['username']}: neither made ({made}) nor changed ({status})")


if __name__ == "__main__":
    main(sys.argv[1])
