"""The only place where operators are built: a task of the plan, for one of three runtimes."""

import os
import sys
from datetime import timedelta
from pathlib import Path

from _notify import failed, watch
from _plan import NOTHING_TO_DO, Task
from _settings import SIGNING, TRUSTED, Settings


def operator(task: Task, settings: Settings, **options):
    """Build the operator of a task in the current DAG and task group.

    Args:
        task: the task.
        settings: ``settings.runtime`` chooses among ``BUILDERS``.
        options: arguments of any operator that take precedence, e.g. ``outlets``.

    Raises:
        ValueError: there is no such runtime.
    """
    if settings.runtime not in BUILDERS:
        raise ValueError(f"EEG_RUNTIME: {settings.runtime!r} is none of {', '.join(BUILDERS)}")
    common = {
        "task_id": task.id,
        "doc_md": task.doc,
        "pool": task.pool,
        # A task that asks for more than there is takes all: of cores it has less, of GPUs it says so at once.
        "pool_slots": min(task.slots, len(settings.gpu_ids) or task.slots if task.resources.gpus else settings.cpus),
        "retries": task.resources.retries,
        "retry_delay": timedelta(seconds=settings.retry_seconds),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(hours=1),
        "execution_timeout": timedelta(minutes=task.resources.timeout_min),
        "on_execute_callback": watch(settings.slow_hours, settings.slow_marks),
        "on_failure_callback": failed,
        "do_xcom_push": False,
    }
    return BUILDERS[settings.runtime](task, settings, common | options)


def approval(task_id: str, subject: str, body: str):
    """Build a task that waits until a person approves; what follows it is skipped when they reject.

    It waits without a worker, and without end: a model that nobody looks at is not promoted.
    """
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    return ApprovalOperator(task_id=task_id, subject=subject, body=body, on_failure_callback=failed)


def _cores(task: Task) -> dict[str, str]:
    """Return the variable by which a task knows how many cores are its; a container may see all of the host's."""
    return {"EEG_TASK_CPUS": str(task.resources.cpus)}


NO_KEY = "/none"

SECRET = ("AWS_", "OPENLINEAGE_API_KEY")
"""How variables begin that are secrets: they stand neither in a container's public environment nor in a pod's."""
"""Path of a key that was not set: a task says that it is not there, and makes none, which its container would lose."""


def _keys(task: Task, signing: str, trusted: str) -> dict[str, str]:
    """Return the variables by which a task in a container finds the keys that it needs, and no others.

    The private key is named where there is none too: one that the task made would be lost with its container.
    """
    named = {"sign": {"EEG_SIGNING_KEY": signing, "EEG_TRUSTED_KEYS": trusted}, "verify": {"EEG_TRUSTED_KEYS": trusted}}
    return named.get(task.keys, {})


def _process(task: Task, settings: Settings, common: dict):
    from _process import Process

    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return Process(
        command=list(task.command),
        folder=task.folder,
        environment=settings.environment() | _cores(task) | {"PATH": path},
        **common,
    )


CONTAINER = {"HOME": "/tmp", "DVC_SITE_CACHE_DIR": "/tmp/dvc"}
"""Where programs write that expect a home and a ``/var`` of their own, in images that cannot be written to."""


def _docker(task: Task, settings: Settings, common: dict):
    from _docker import Container

    resources = task.resources
    secret = {name: value for name, value in settings.environment().items() if name.startswith(SECRET)}
    public = {name: value for name, value in settings.environment().items() if name not in secret}
    keys = _keys(task, settings.signing_key or NO_KEY, settings.trusted_keys or NO_KEY)
    return Container(
        image=settings.image_of(task.image),
        command=list(task.command),
        working_dir=task.folder,
        # The name and the mounts are set by the operator itself, when it starts.
        settings=settings,
        gpus=resources.gpus,
        keys=[path for path in keys.values() if path != NO_KEY],
        environment=public | keys | _cores(task) | CONTAINER | {"AIRFLOW_CTX_DAG_RUN_ID": "{{ run_id }}"},
        private_environment=secret,
        cpus=resources.cpus,
        mem_limit=f"{resources.memory_gb}g",
        shm_size=resources.shm_gb * 2**30,
        auto_remove="force",
        skip_on_exit_code=NOTHING_TO_DO,
        mount_tmp_dir=False,
        **common,
    )


def _kubernetes(task: Task, settings: Settings, common: dict):
    from _kubernetes import CLONE, Pod, pod_volumes
    from kubernetes.client import models as k8s

    resources = task.resources
    amount = {"cpu": str(resources.cpus), "memory": f"{resources.memory_gb}Gi"}
    gpus = {"nvidia.com/gpu": str(resources.gpus)} if resources.gpus else {}
    reference = k8s.V1SecretEnvSource(name=settings.secret, optional=True)
    public = {name: value for name, value in settings.environment().items() if not name.startswith(SECRET)}
    volumes, mounts = pod_volumes(task, settings)
    return Pod(
        name=f"eeg-{task.path.replace('_', '-').replace('.', '-').lower()}",
        # A retry finds its pod by identity; a fixed name would meet the one that is still being deleted.
        random_name_suffix=True,
        config_file=settings.kube_config or None,
        pod_template_file=settings.pod_template or None,
        namespace=settings.namespace,
        image=settings.image_of(task.image),
        # Pods have no working folder in this operator, and the shell is there to change into it.
        cmds=["sh", "-c", CLONE if settings.git_url else 'cd "$0" && exec "$@"', task.folder],
        arguments=list(task.command),
        labels={"eeg-installation": settings.installation},
        env_vars=public
        | _keys(task, f"{SIGNING}/signing.pem", TRUSTED)
        | _cores(task)
        | CONTAINER
        | {"AIRFLOW_CTX_DAG_RUN_ID": "{{ run_id }}"},
        env_from=[k8s.V1EnvFromSource(secret_ref=reference)],
        container_resources=k8s.V1ResourceRequirements(requests=amount | gpus, limits=amount | gpus),
        volumes=volumes,
        volume_mounts=mounts,
        # A task asks the cluster for nothing, and has no privilege in its container.
        automount_service_account_token=False,
        container_security_context=k8s.V1SecurityContext(
            allow_privilege_escalation=False,
            capabilities=k8s.V1Capabilities(drop=["ALL"]),
            read_only_root_filesystem=True,
        ),
        startup_timeout_seconds=1800,
        skip_on_exit_code=NOTHING_TO_DO,
        on_finish_action="delete_succeeded_pod",
        get_logs=True,
        **common,
    )


BUILDERS = {"process": _process, "docker": _docker, "kubernetes": _kubernetes}
