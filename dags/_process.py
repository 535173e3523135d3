"""Runs a task as a local process."""

from _failures import bad_input
from _plan import BAD_INPUT
from airflow.providers.standard.operators.bash import BashOperator


class Process(BashOperator):
    """A local process; bad input is not retried."""

    def _run_inline_command(self, bash_path, env):
        result = super()._run_inline_command(bash_path, env)
        if result.exit_code == BAD_INPUT:
            raise bad_input(self.task_id)
        return result
