"""Runs a task in a container of this host's Docker engine.

One container a task of a run, by name. A worker that dies leaves its container running: the next try adopts it, so
that nothing is trained twice and nothing is lost. An earlier container that has ended is removed first. Labels say
which installation, run and task a container is of: another's is neither adopted nor removed.

It has no capability, cannot gain one, and cannot write to its image; what it sees of the host is in ``_mounts.py``.

GPUs are given by id. A GPU is free when it stands free in the list that ``eeg repro`` takes GPUs from too
(``gpu_leases.py``), and no running container bears its id in the label ``eeg.gpus``. The task in the container joins
the lease: it outlives the worker, as the container does.
"""

import re
from functools import cached_property, partial
from pathlib import Path

from _failures import bad_input
from _library import gpu_leases
from _mounts import task_mounts, task_tmpfs
from _plan import BAD_INPUT
from _settings import Settings
from airflow.providers.docker.exceptions import DockerContainerFailedException
from airflow.providers.docker.operators.docker import DockerOperator, fetch_logs
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.log import mask_secret
from docker import APIClient
from docker.errors import NotFound
from docker.types import DeviceRequest

LABEL = "eeg.gpus"
"""Label that names the GPUs of a container, whatever installation it is of: they are the host's."""

PIDS_LIMIT = 4096
"""Processes and threads of a task: a training on many cores has some hundreds."""


def identity(installation: str, run_id: str, path: str) -> dict[str, str]:
    """Return the labels that say whose container one is."""
    return {"eeg.installation": installation, "eeg.run": run_id, "eeg.task": path}


def container_name(installation: str, run_id: str, path: str) -> str:
    """Return the name of the container of a task: ``eeg-{installation}-{run}-{stage}``.

    Characters that Docker does not allow are replaced; runs whose names differ in those alone have the same name.
    """
    return re.sub(r"[^a-zA-Z0-9_.-]+", "-", f"eeg-{installation}-{run_id}-{path}")


class Container(DockerOperator):
    """A container that exists once a run and task, with GPUs by id; bad input is not retried.

    Args:
        settings: the installation, what of the host its tasks see, and which GPUs there are to choose from.
        gpus: how many GPUs.
        keys: files and folders of keys that it reads.
    """

    template_fields = (*DockerOperator.template_fields, "working_dir")

    def __init__(self, *, settings: Settings, gpus: int, keys: list[str], **arguments):
        super().__init__(user=settings.docker_user, network_mode=settings.docker_network, **arguments)
        self.installation, self.gpus, self.gpu_ids = settings.installation, gpus, settings.gpu_ids
        self.leases = settings.gpu_leases_folder
        self.repository, self.secrets = settings.repository, settings.task_secrets
        self.own, self.written, self.read = settings.own_folders, settings.written_folders, settings.read_folders
        self.keys = keys

    @cached_property
    def cli(self) -> APIClient:
        """The engine's client, in whose containers a task has no more than it needs."""
        client = self.hook.api_client
        client.create_host_config = partial(
            client.create_host_config,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=PIDS_LIMIT,
            read_only=True,
            tmpfs=task_tmpfs(self.repository, str(self.user)),
        )
        # With its /tmp, which is a volume.
        client.remove_container = partial(client.remove_container, v=True)
        return client

    def execute(self, context):
        if self.gpus > len(self.gpu_ids):
            raise AirflowFailException(
                f"{self.task_id}: meta.airflow: gpus: asks for {self.gpus}, and EEG_GPUS names {len(self.gpu_ids)} "
                f"({', '.join(self.gpu_ids) or 'none'}). Not retried."
            )
        self.container_name = container_name(self.installation, context["run_id"], self.task_id)
        self.labels = identity(self.installation, context["run_id"], self.task_id)
        for secret in (self._private_environment or {}).values():
            mask_secret(secret)
        # Docker mounts only folders that are there.
        for folder in (*self.own, f"{self.repository}/.dvc/tmp"):
            Path(folder).mkdir(parents=True, exist_ok=True)
        self.mounts = task_mounts(self.repository, self.written, [*self.read, *self.keys], self.secrets)
        try:
            earlier = self._earlier()
            if earlier:
                return self._adopt(earlier)
            title = f"{context['run_id']}, {self.task_id}"
            lease = gpu_leases.take(
                self.gpus, self.gpu_ids, Path(self.leases), title, self.log.info, self._in_containers
            )
            try:
                chosen = list(lease.ids)
                self.labels |= {LABEL: ",".join(chosen)}
                self.environment |= {gpu_leases.LEASED: ",".join(chosen)}
                self.device_requests = device_requests(chosen)
                return super().execute(context)
            finally:
                lease.close()
        except DockerContainerFailedException as error:
            if f"'StatusCode': {BAD_INPUT}" in str(error):
                raise bad_input(self.task_id) from error
            raise

    def _earlier(self) -> dict | None:
        """Return the container of an earlier try if it still runs; one that has ended is removed."""
        try:
            container = self.cli.inspect_container(self.container_name)
        except NotFound:
            return None
        labels = container["Config"]["Labels"] or {}
        if any(labels.get(name) != value for name, value in self.labels.items()):
            raise AirflowFailException(
                f"{self.task_id}: the container {self.container_name} is not of this run and installation; it is "
                f"neither adopted nor removed. `docker rm --force {self.container_name}` makes room. Not retried."
            )
        if container["State"]["Running"]:
            return container
        self.cli.remove_container(container["Id"], force=True)
        return None

    def _adopt(self, container: dict) -> None:
        self.log.info("Adopting container %s, which an earlier try left running", self.container_name)
        self.container = container
        lines = fetch_logs(self.cli.logs(container["Id"], stream=True, follow=True), self.log)
        result = self.cli.wait(container["Id"])
        self.cli.remove_container(container["Id"], force=True)
        if result["StatusCode"]:
            raise DockerContainerFailedException(f"Docker container failed: {result!r}", logs=lines)

    def _in_containers(self) -> set[str]:
        running = self.cli.containers(filters={"label": LABEL})
        return {name for container in running for name in container["Labels"][LABEL].split(",") if name}


def device_requests(chosen: list[str]) -> list[DeviceRequest]:
    """Ask Docker for these GPUs and no others."""
    return [DeviceRequest(device_ids=chosen, capabilities=[["gpu"]])] if chosen else []
