"""The MLflow server in use, reached as MLflow's own client reaches it.

Certificates, credentials and proxies are those of MLflow's variables (``MLFLOW_TRACKING_SERVER_CERT_PATH`` and others).
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import requests
from filelock import FileLock
from mlflow.entities import Experiment
from mlflow.exceptions import InvalidUrlException, MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from eegdiffusion.core.runtime.errors import InputError, UnavailableError
from eegdiffusion.core.runtime.printable import say

LOCAL = Path("mlruns")

REFERENCE = "mlflow_run.json"
"""File in a stage's work folder that names its run."""

AWAY = (502, 503, 504)
"""Statuses of a proxy whose server is away."""

DENIED = ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED")

TLS_VARIABLES = (
    "MLFLOW_TRACKING_SERVER_CERT_PATH, MLFLOW_TRACKING_CLIENT_CERT_PATH, MLFLOW_TRACKING_INSECURE_TLS or "
    "REQUESTS_CA_BUNDLE"
)

SQLITE = "sqlite:///"

SQLITE_BEGINS = b"SQLite format 3\0"

INTERFACE = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"
"""A question that every MLflow answers in JSON, with an experiment or an error."""

ADDRESSES = "http(s)://HOST:PORT of a server, or sqlite:////FOLDER/mlflow.db"


def uri() -> str:
    """Return ``MLFLOW_TRACKING_URI``, or the local SQLite store; a path in it is made absolute."""
    address = os.environ.get("MLFLOW_TRACKING_URI")
    if not address:
        LOCAL.mkdir(exist_ok=True)
        address = f"{SQLITE}{LOCAL / 'mlflow.db'}"
    return f"{SQLITE}{Path(address.removeprefix(SQLITE)).resolve()}" if address.startswith(SQLITE) else address


def patience_s() -> float:
    """Return the seconds to wait for a server that is away, before training and after it.

    Raises:
        InputError: ``EEG_TRACKING_WAIT_SECONDS`` is no number.
    """
    text = os.environ.get("EEG_TRACKING_WAIT_SECONDS") or "300"
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"EEG_TRACKING_WAIT_SECONDS: must be a number of seconds (found {text!r})") from error


def remote() -> bool:
    """Whether there is a server to be reached over HTTP."""
    return uri().startswith(("http://", "https://"))


def _absence() -> str:
    """Return why the server gives no answer now, an empty string where it does; a local store always does.

    Raises:
        InputError: waiting cannot help: TLS fails, a file of certificates is missing, the address is none, or what
            answers there is no MLflow.
    """
    if not remote():
        _check_store()
        return ""
    try:
        answer = http_request(get_default_host_creds(uri()), "/health", "GET", max_retries=0, timeout=5,
                              raise_on_status=False)  # fmt: skip
    except InvalidUrlException as error:
        raise InputError(f"MLFLOW_TRACKING_URI: {uri()} is no address of a server") from error
    except MlflowException as error:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, requests.exceptions.SSLError):
            raise InputError(f"MLFLOW_TRACKING_URI: {uri()}: TLS fails; see {TLS_VARIABLES} ({cause})") from error
        if isinstance(cause, requests.TooManyRedirects):
            raise InputError(f"MLFLOW_TRACKING_URI: {uri()} leads in a circle, as to a login ({cause})") from error
        if isinstance(cause, requests.RequestException):
            return str(cause)
        # Variables that exclude each other, a file that is not there, or is no certificate.
        raise InputError(f"MLFLOW_TRACKING_URI: {uri()}: see {TLS_VARIABLES} ({cause or error.message})") from error
    if answer.status_code in AWAY:
        return f"status {answer.status_code}"
    _require_mlflow(answer)
    return ""


def _check_store() -> None:
    """Check that the address of a store without a server is that of one.

    Raises:
        InputError: it is no address that MLflow knows, no database, or in a folder that cannot be made.
    """
    where = f"MLFLOW_TRACKING_URI: {uri()}"
    if not uri().startswith(SQLITE):
        try:
            mlflow.MlflowClient(uri())
        except MlflowException as error:
            reason = " ".join(error.message.split()).partition(". ")[0]
            raise InputError(f"{where}: must be {ADDRESSES} ({reason})") from error
        return
    path = Path(uri().removeprefix(SQLITE))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return
        with path.open("rb") as file:
            begin = file.read(len(SQLITE_BEGINS))
    except OSError as error:
        raise InputError(f"{where}: cannot be used as a store ({error})") from error
    if begin not in (b"", SQLITE_BEGINS):
        raise InputError(f"{where}: is no database of SQLite, or a damaged one")


def _require_mlflow(answer: requests.Response) -> None:
    """Check what answered a question for its health.

    An MLflow says ``OK``. One behind a proxy may ask for credentials, or have nothing but its interface reached.

    Raises:
        InputError: it is another program, speaks TLS, or does not know this host's name.
    """
    where, said = f"MLFLOW_TRACKING_URI: {uri()}", answer.text.strip()
    if (answer.ok and said == "OK") or answer.status_code == 401:
        return
    if "Host header" in said:
        raise InputError(
            f"{where}: the server is not called so; start it with `--allowed-hosts` and this name ({said})"
        )
    if answer.status_code == 400 and "HTTPS" in said:
        raise InputError(f"{where}: the server speaks TLS; write https:// in its address")
    try:
        interface = http_request(get_default_host_creds(uri()), INTERFACE, "GET", max_retries=0, timeout=5,
                                 raise_on_status=False)  # fmt: skip
    except MlflowException:
        return  # it was there a moment ago: whoever asks next sees
    try:
        interface.json()
    except ValueError as error:
        if interface.status_code in (401, 403):
            return  # credentials of a proxy's, which are asked for before anything is told
        begin = " ".join(said.split())[:80]
        raise InputError(
            f"{where}: what answers there is no MLflow; must be {ADDRESSES}, without the path of a page "
            f"(status {answer.status_code}: {begin!r})"
        ) from error


def answers() -> bool:
    """Whether the server answers now; a local store always does."""
    try:
        return not _absence()
    except InputError:
        return False


def wait() -> None:
    """Wait for the server.

    Raises:
        InputError: it cannot be reached as the variables have it: TLS, certificates or the address are wrong.
        UnavailableError: it did not answer within ``EEG_TRACKING_WAIT_SECONDS``.
    """
    deadline, announced = time.monotonic() + patience_s(), False
    while reason := _absence():
        if time.monotonic() >= deadline:
            raise UnavailableError(
                f"MLFLOW_TRACKING_URI: {uri()} did not answer within {patience_s():g} s ({reason}); start the server, "
                "or unset the variable to use the local store"
            )
        if not announced:
            say(f"{uri()}: waiting up to {patience_s():g} s for MLflow", stream=sys.stderr)
        announced = True
        time.sleep(min(1, patience_s()))


def explained(error: MlflowException) -> Exception:
    """Return what an error of MLflow's means to who runs a command: an error of the user's, of the server's, or itself.

    Args:
        error: raised by a client of the server in use.

    Returns:
        an InputError where the server refuses this user, an UnavailableError where it does not answer, else ``error``.
    """
    reason = " ".join(error.message.split())
    if error.error_code in DENIED:
        return InputError(
            f"MLFLOW_TRACKING_URI: {uri()} refuses this user; see MLFLOW_TRACKING_USERNAME and "
            f"MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN ({reason})"
        )
    if isinstance(error.__cause__ or error.__context__, requests.RequestException):
        return UnavailableError(
            f"MLFLOW_TRACKING_URI: {uri()} fails ({reason}); the same command again once it does not"
        )
    return error


@contextmanager
def errors_explained() -> Iterator[None]:
    """Turn errors of MLflow's within the block into those that :func:`explained` returns.

    Raises:
        InputError: the server wants other credentials, or the user may not do what was asked.
        UnavailableError: it does not answer.
    """
    try:
        yield
    except MlflowException as error:
        meant = explained(error)
        if meant is error:
            raise
        raise meant from error


def connect() -> None:
    """Wait for the server, and make it the one that MLflow talks to; see :func:`wait` for the errors."""
    wait()
    mlflow.set_tracking_uri(uri())


def restoring(kind: str, option: str, identity: str) -> str:
    """Return the command that brings back what was deleted, e.g. ``mlflow runs restore --run-id ...``.

    Args:
        kind: ``runs`` or ``experiments``.
        option: the option that takes the id.
        identity: the id.
    """
    store = "" if os.environ.get("MLFLOW_TRACKING_URI") else f"MLFLOW_TRACKING_URI={uri()} "
    return f"`{store}mlflow {kind} restore --{option} {identity}`"


NOTE = "mlflow.note.content"
"""Tag of an experiment or a run that MLflow's pages show as its description."""

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Tag by which MLflow's pages open an experiment with its training runs and models, and not as one of prompts."""


def experiment(name: str, description: str = "") -> None:
    """Make an experiment the active one, created when missing, and describe it where nobody has.

    Args:
        name: its name.
        description: what MLflow's pages say of it.

    Raises:
        InputError: it was deleted, or the server refuses this user; see :func:`wait` too.
        UnavailableError: see :func:`wait`.
    """
    connect()
    with errors_explained():
        # Stages may start together, and one database must not be set up twice; a server looks to that itself.
        if not uri().startswith(SQLITE):
            _refuse_deleted(name)
            _describe(mlflow.set_experiment(name), description)
            return
        # Artifacts lie beside the database, whatever folder the stage runs in: workspaces are removed some day.
        folder = Path(uri().removeprefix(SQLITE)).parent
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "setup.lock"):
            if not _refuse_deleted(name):
                mlflow.create_experiment(name, artifact_location=(folder / "artifacts" / name).as_uri())
            _describe(mlflow.set_experiment(name), description)


def _describe(active: Experiment, description: str) -> None:
    """Tag an experiment with its kind and its description; what a person wrote or chose stays."""
    wanted = KIND | ({NOTE: description} if description else {})
    missing = {key: value for key, value in wanted.items() if key not in active.tags}
    if missing:
        mlflow.set_experiment_tags(missing)


def _refuse_deleted(name: str) -> bool:
    """Refuse an experiment that was deleted; return whether there is one."""
    existing = mlflow.get_experiment_by_name(name)
    if existing and existing.lifecycle_stage == "deleted":
        command = restoring("experiments", "experiment-id", existing.experiment_id)
        raise InputError(f"MLflow: the experiment {name!r} was deleted; {command} brings it back")
    return existing is not None


def absence_of(run_id: str) -> str:
    """Return how a run is no longer there, with the command that brings it back; an empty string where it is.

    Args:
        run_id: id of the run.

    Raises:
        MlflowException: the server cannot say it.
    """
    try:
        info = mlflow.get_run(run_id).info
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return f"the run {run_id} is there no more"
    if info.lifecycle_stage == "active":
        return ""
    home = mlflow.get_experiment(info.experiment_id)
    if home.lifecycle_stage == "active":
        return f"the run {run_id} was deleted; {restoring('runs', 'run-id', run_id)} brings it back"
    command = restoring("experiments", "experiment-id", home.experiment_id)
    return f"the run {run_id} was deleted with its experiment {home.name!r}; {command} brings both back"


def is_active(run_id: str) -> bool:
    """Whether the server knows a run, and it was not deleted."""
    return not absence_of(run_id)
