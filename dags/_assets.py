"""Assets: what one DAG announces to another."""

from airflow.sdk import Asset

CORPUS = Asset(name="eeg_corpus", uri="eeg://corpus")
"""A corpus of events or of images has new or changed recordings, and they are valid."""

REPORT = Asset(name="eeg_report", uri="eeg://report")
"""A run's report is written, and its models are registered."""
