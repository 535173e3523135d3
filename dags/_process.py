"""Runs a task as a local process."""

import os
from functools import cached_property

from _failures import bad_input
from _plan import BAD_INPUT, NOTHING_TO_DO
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from airflow.sdk.execution_time.context import context_to_airflow_vars


class Process(BaseOperator):
    """A local process; bad input is not retried.

    No shell stands between, as in BashOperator: a task's standard input is a socket, from which bash concludes that it
    serves a remote login; it then reads the user's ``.bashrc``, which may put another Python first.

    Args:
        command: the words of the command.
        folder: where it runs.
        environment: what is added to this process's environment.
    """

    template_fields = ("command", "folder", "environment")

    def __init__(self, *, command: list[str], folder: str, environment: dict[str, str], **arguments):
        super().__init__(**arguments)
        self.command, self.folder, self.environment = command, folder, environment

    @cached_property
    def hook(self) -> SubprocessHook:
        return SubprocessHook()

    def execute(self, context):
        airflows = context_to_airflow_vars(context, in_env_var_format=True)
        environment = os.environ | airflows | self.environment
        result = self.hook.run_command(self.command, environment, cwd=self.folder)
        if result.exit_code == NOTHING_TO_DO:
            raise AirflowSkipException(f"{self.task_id}: nothing to do")
        if result.exit_code == BAD_INPUT:
            raise bad_input(self.task_id)
        if result.exit_code:
            raise AirflowException(f"{self.task_id}: exit status {result.exit_code}")

    def on_kill(self):
        self.hook.send_sigterm()
