"""Settings of the DAGs, from environment variables; ``docs/operations.md`` lists them."""

import hashlib
import json
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from _library import gpu_leases

GPU = re.compile(r"\d+|(GPU|MIG)-[0-9A-Za-z/-]+")
"""Id of a GPU, or of a part of one: its number, or what `nvidia-smi -L` calls it."""


def _env(name: str, default: str) -> object:
    return field(default_factory=lambda: os.environ.get(name) or default)


def number[T: (int, float)](name: str, default: T, least: float = 0) -> T:
    """Return the number that an environment variable holds.

    Args:
        name: the variable.
        default: the number where it is unset or empty; a whole one asks for a whole one.
        least: smallest number.

    Raises:
        ValueError: it holds none, or a smaller one.
    """
    kind, text = type(default), os.environ.get(name) or str(default)
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not least <= value < math.inf:
        whole = "whole " if kind is int else ""
        raise ValueError(f"{name}: must be a {whole}number, {least:g} or more (found {text!r})")
    return value


SIGNING, TRUSTED = "/keys/signing", "/keys/trusted"
"""Where pods mount the secrets with the site's private key, ``signing.pem``, and with the public keys it trusts."""

STATE = "/state"
"""Where pods with clones of their own mount the claim ``EEG_K8S_STATE``."""


READ_BY_TASKS: dict[str, int | float] = {
    "EEG_SETTLE_SECONDS": 60.0,
    "EEG_DRIFT_LIMIT": 0.0,
    "EEG_KEEP_RUNS": 10,
    "EEG_KEEP_DAYS": 0.0,
    "EEG_TRACKING_WAIT_SECONDS": 300.0,
}
"""Variables that tasks read as numbers: one that is none is said before any of them starts."""


def _committed_slots(pool: str) -> int:
    return json.loads(Path(__file__).with_name("pools.json").read_text())[pool]["slots"]


def _paths(text: str) -> list[str]:
    return [path for path in text.split(os.pathsep) if path]


@dataclass(frozen=True)
class Settings:
    """Where runs live and what their tasks run in."""

    repository: str = _env("EEG_REPOSITORY", str(Path(__file__).resolve().parents[1]))
    runs: str = _env("EEG_RUNS", "")
    runtime: str = _env("EEG_RUNTIME", "process")
    retrain_cron: str = _env("EEG_RETRAIN_CRON", "0 2 * * 0")
    ingest_cron: str = _env("EEG_INGEST_CRON", "*/10 * * * *")
    retry_seconds: float = field(default_factory=lambda: number("EEG_RETRY_SECONDS", 60.0))
    approval: bool = field(default_factory=lambda: os.environ.get("EEG_APPROVAL", "0") not in ("", "0"))
    slow_hours: float = field(default_factory=lambda: number("EEG_SLOW_HOURS", 24.0))
    cpus: int = field(default_factory=lambda: number("EEG_CPUS", _committed_slots("cpu"), 1))
    image: str = _env("EEG_IMAGE", "eeg-workflow")
    image_tag: str = _env("EEG_IMAGE_TAG", "")
    mounts: str = _env("EEG_MOUNTS", "")
    data_mounts: str = _env("EEG_DATA_MOUNTS", "")
    task_secrets: str = _env("EEG_TASK_SECRETS", "")
    gpus: str | None = field(default_factory=lambda: os.environ.get(gpu_leases.LISTED))
    signing_key: str = _env("EEG_SIGNING_KEY", "")
    trusted_keys: str = _env("EEG_TRUSTED_KEYS", "")
    signing_secret: str = _env("EEG_K8S_SIGNING_SECRET", "eeg-signing-key")
    trusted_secret: str = _env("EEG_K8S_TRUSTED_SECRET", "eeg-trusted-keys")
    docker_network: str = _env("EEG_DOCKER_NETWORK", "bridge")
    docker_user: str = _env("EEG_DOCKER_USER", f"{os.getuid()}:{os.getgid()}")
    namespace: str = _env("EEG_K8S_NAMESPACE", "default")
    claim: str = _env("EEG_K8S_CLAIM", "eeg-workflow")
    secret: str = _env("EEG_K8S_SECRET", "eeg-workflow")
    kube_config: str = _env("EEG_K8S_CONFIG", "")
    claim_mount: str = _env("EEG_K8S_MOUNT", "")
    pod_template: str = _env("EEG_K8S_POD_TEMPLATE", "")
    git_url: str = _env("EEG_GIT_URL", "")
    state_claim: str = _env("EEG_K8S_STATE", "")
    data: str = _env("EEG_K8S_DATA", "")

    def __post_init__(self):
        for name, default in READ_BY_TASKS.items():
            number(name, default)
        if self.git_url and self.runtime != "kubernetes":
            raise ValueError(
                f"EEG_GIT_URL: tasks in clones of their own need EEG_RUNTIME=kubernetes, not {self.runtime!r}"
            )
        if self.git_url and not os.environ.get("MLFLOW_TRACKING_URI", "").startswith("http"):
            raise ValueError(
                "MLFLOW_TRACKING_URI: with EEG_GIT_URL it must be a server's, http(s)://..., as pods share no file"
            )
        for name in self.gpu_ids:
            if not GPU.fullmatch(name):
                raise ValueError(f"EEG_GPUS: must be ids of GPUs, e.g. 0,1 or GPU-5a1b, or empty (found {name!r})")
        for volume in self.data_volumes:
            if len(volume) != 2 or not volume[1].startswith("/"):
                raise ValueError(f"EEG_K8S_DATA: {':'.join(volume)!r} is not CLAIM:/FOLDER")

    @property
    def data_volumes(self) -> list[list[str]]:
        """Claims with data that are mounted read-only in every pod, and where: the corpora."""
        return [volume.split(":") for volume in self.data.split(",") if volume]

    @property
    def state_folder(self) -> str:
        """Folder for what outlives a task, apart from data and models: what ingestion has seen."""
        if not self.git_url:
            return self.runs_folder
        if not self.state_claim:
            raise ValueError("EEG_K8S_STATE: with EEG_GIT_URL, a claim must keep what eeg_ingest has seen")
        return STATE

    @property
    def runs_folder(self) -> str:
        """Folder with one workspace a run."""
        return self.runs or f"{self.repository}/runs"

    @property
    def slow_marks(self) -> Path:
        """Folder that remembers which slow runs have been reported."""
        return Path(self.runs_folder) / ".slow"

    @property
    def written_folders(self) -> list[str]:
        """Host folders that tasks' containers write to, at the same path: of runs, DVC and local tracking."""
        return list(dict.fromkeys([*self.own_folders, *_paths(self.mounts)]))

    @property
    def own_folders(self) -> list[str]:
        """Those of them that are this installation's own."""
        tracking = [] if "MLFLOW_TRACKING_URI" in os.environ else [f"{self.repository}/mlruns"]
        return [
            self.runs_folder,
            *(f"{self.repository}/{name}" for name in (".dvc/cache", "models/champions", "models/runs")),
            *tracking,
        ]

    def image_of(self, target: str) -> str:
        """Name the image of a target of ``docker/Dockerfile``, with its tag where one is set."""
        return f"{self.image}-{target}" + (f":{self.image_tag}" if self.image_tag else "")

    @property
    def read_folders(self) -> list[str]:
        """Host folders beside the repository that tasks' containers read, at the same path: corpora."""
        return _paths(self.data_mounts)

    @property
    def installation(self) -> str:
        """What tells this installation from others on one engine or cluster; docker/installation.sh has it too."""
        parts = [os.path.realpath(self.repository), *([self.git_url, self.namespace] if self.git_url else [])]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]

    @property
    def gpu_ids(self) -> list[str]:
        """Ids of the GPUs that tasks of this host may have: ``EEG_GPUS``; unset, all that there are."""
        listed = {} if self.gpus is None else {gpu_leases.LISTED: self.gpus}
        return gpu_leases.listed_gpus(os.environ | listed)

    @property
    def gpu_leases_folder(self) -> str:
        """Folder of the list of which GPUs are free, which ``eeg repro`` and the tasks have too."""
        return str(gpu_leases.leases_folder(os.environ | {"EEG_RUNS": self.runs_folder}))

    @property
    def has_gpus(self) -> bool:
        """Whether tasks can be given GPUs; on Kubernetes the cluster has them unless ``EEG_GPUS`` is empty."""
        return (self.runtime == "kubernetes" and self.gpus is None) or bool(self.gpu_ids)

    def environment(self) -> dict[str, str]:
        """Return the environment of every task."""
        variables = {
            "DVC_NO_ANALYTICS": "1",
            "EEG_REPOSITORY": self.repository,
            "EEG_RUNS": self.runs_folder,
            "GIT_TERMINAL_PROMPT": "0",
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.repository}/mlruns/mlflow.db",
            "OMP_WAIT_POLICY": "passive",
        }
        if self.runtime == "docker":
            # Tasks only read the repository: runs push their branches to one beside their workspaces.
            variables["EEG_BRANCHES"] = f"{self.runs_folder}/.branches.git"
        if self.runtime == "kubernetes":
            # A pod has its GPUs from the cluster, and takes none from a list.
            variables[gpu_leases.LEASED] = ""
        elif self.gpus is not None:
            variables[gpu_leases.LISTED] = self.gpus
        if folder := os.environ.get(gpu_leases.FOLDER):
            variables[gpu_leases.FOLDER] = folder
        if self.git_url:
            variables["EEG_GIT_URL"] = self.git_url
            if self.state_claim:
                variables["EEG_CHECKPOINTS"] = f"{STATE}/checkpoints"
        prefixes = ("AWS_", "EEG_KEEP_", "EEG_TRACKING_", "EEG_UMASK", "MLFLOW_", "OPENLINEAGE_")
        passed = {name: value for name, value in os.environ.items() if name.startswith(prefixes)}
        if self.task_secrets:
            passed["AWS_SHARED_CREDENTIALS_FILE"] = "/run/secrets/aws"
        return variables | passed

    @property
    def claim_path(self) -> str:
        """Where pods mount the shared volume: a folder that holds the repository and the runs."""
        return self.claim_mount or str(Path(self.repository).parent)
