"""Runs a task in a pod."""

from _failures import bad_input
from _plan import BAD_INPUT
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.common.compat.sdk import AirflowException


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
    """Exit status of a container that has ended."""
    for status in pod.status.container_statuses or []:
        if status.name == container and status.state.terminated:
            return status.state.terminated.exit_code
    return None
