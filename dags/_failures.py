"""Which failures are worth no retry."""

from airflow.sdk.exceptions import AirflowFailException


def bad_input(where: str) -> AirflowFailException:
    """Return the error that fails a task at once, whatever its retries: configuration or data are wrong."""
    return AirflowFailException(f"{where}: bad configuration or data (exit status 65); see above. Not retried.")
