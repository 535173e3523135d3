"""Runs a task in a pod."""

from _failures import bad_input
from _plan import BAD_INPUT, Task
from _settings import SIGNING, STATE, TRUSTED, Settings
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.common.compat.sdk import AirflowException
from kubernetes.client import models as k8s

CLONE = 'git clone --quiet ${0:+--branch "$0"} -- "$EEG_GIT_URL" /workspace/clone && cd /workspace/clone && exec "$@"'
"""Runs a command in a clone of a branch (the default one for ""), where no file system is shared."""


class Pod(KubernetesPodOperator):
    """A pod; bad input is not retried."""

    def cleanup(self, pod, remote_pod, *arguments, **options):
        try:
            return super().cleanup(pod, remote_pod, *arguments, **options)
        except AirflowException as error:
            if exit_status(remote_pod, self.base_container_name) == BAD_INPUT:
                raise bad_input(self.task_id) from error
            raise


def exit_status(pod, container: str) -> int | None:
    """Return the exit status of a container that has ended."""
    for status in pod.status.container_statuses or []:
        if status.name == container and status.state.terminated:
            return status.state.terminated.exit_code
    return None


def pod_volumes(task: Task, settings: Settings) -> tuple[list[k8s.V1Volume], list[k8s.V1VolumeMount]]:
    """Return the volumes of a task's pod: memory, /tmp, and the shared volume or what a clone needs in its place."""
    shared_memory = k8s.V1EmptyDirVolumeSource(medium="Memory", size_limit=f"{task.resources.shm_gb}Gi")
    volumes = [
        (k8s.V1Volume(name="shm", empty_dir=shared_memory), "/dev/shm", False),
        (k8s.V1Volume(name="tmp", empty_dir=k8s.V1EmptyDirVolumeSource()), "/tmp", False),
    ]
    if settings.git_url:
        volumes.append((k8s.V1Volume(name="workspace", empty_dir=k8s.V1EmptyDirVolumeSource()), "/workspace", False))
        if settings.state_claim:
            volumes.append((_claim("state", settings.state_claim), STATE, False))
    else:
        volumes.append((_claim("work", settings.claim), settings.claim_path, False))
    for name, secret, folder in _key_secrets(task, settings):
        source = k8s.V1SecretVolumeSource(secret_name=secret, default_mode=0o440, optional=True)
        volumes.append((k8s.V1Volume(name=name, secret=source), folder, True))
    for number, (claim, folder) in enumerate(settings.data_volumes):
        volumes.append((_claim(f"data-{number}", claim, read_only=True), folder, True))
    mounts = [
        k8s.V1VolumeMount(name=volume.name, mount_path=path, read_only=read_only) for volume, path, read_only in volumes
    ]
    return [volume for volume, _, _ in volumes], mounts


def _key_secrets(task: Task, settings: Settings) -> list[tuple[str, str, str]]:
    """Return names, secrets and folders of the keys that a task needs, the private one where it signs."""
    trusted = ("trusted-keys", settings.trusted_secret, TRUSTED)
    return {"sign": [("signing-key", settings.signing_secret, SIGNING), trusted], "verify": [trusted]}.get(
        task.keys, []
    )


def _claim(name: str, claim: str, read_only: bool = False) -> k8s.V1Volume:
    source = k8s.V1PersistentVolumeClaimVolumeSource(claim_name=claim, read_only=read_only)
    return k8s.V1Volume(name=name, persistent_volume_claim=source)
