"""Settings of the probes of a task: an entry of the section ``probe_tasks``."""

from eegdiffusion.events.probes.task_settings import ProbedTask

__all__ = ["ProbedTask"]
