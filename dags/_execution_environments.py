"""Where the tasks of a run work, and the commands that open, run, finalize and use such a workspace.

Shared: a folder on a file system that every task sees. Isolated: a clone of the run's branch for each task, where no
file system is shared; data go through DVC's remote.
"""

from dataclasses import dataclass

from _settings import Settings

MODULE = ("python", "-m")


@dataclass(frozen=True)
class Workspace:
    """Words of commands, and where they work: a folder, or (isolated) a branch, "" for the default one.

    Attributes:
        home: where tasks that belong to no run work.
        run: where a run's tasks work (a template).
        open: the command that opens the run.
        stage: the command that runs a stage, whose name follows.
        finalize: the command that finalizes the run.
        register: the command that registers its models.
    """

    home: str
    run: str
    open: tuple[str, ...]
    stage: tuple[str, ...]
    finalize: tuple[str, ...]
    register: tuple[str, ...]


def choose_workspace(settings: Settings, stages: list[str]) -> Workspace:
    """Choose between a shared and an isolated workspace.

    Args:
        settings: isolated where ``git_url`` is set.
        stages: the stages that a run will be asked for.
    """
    options = {
        "--run": "{{ run_id }}",
        "--revision": "{{ params.revision or '' }}",
        "--overrides": "{{ (params.overrides or {}) | tojson }}",
    }
    register = (*MODULE, "eegdiffusion.commands", "register")
    if settings.git_url:
        isolated, branch = (*MODULE, "eegdiffusion.operations.orchestration.isolated"), "retrain/{{ run_id | slug }}"
        return Workspace(
            home="",
            run=branch,
            open=(*isolated, "open", *_words(options | {"--branch": branch}), "--stages", *stages),
            stage=(*isolated, "stage"),
            finalize=(*isolated, "finalize"),
            register=(*isolated, "after", "models", *register),
        )
    folder = f"{settings.runs_folder}/{{{{ run_id | slug }}}}"
    options |= {"--repository": settings.repository, "--workspace": folder}
    return Workspace(
        home=settings.repository,
        run=folder,
        open=(*MODULE, "eegdiffusion.operations.orchestration.open_run", *_words(options), "--stages", *stages),
        stage=(*MODULE, "eegdiffusion.operations.orchestration.run_stage"),
        finalize=(*MODULE, "eegdiffusion.operations.orchestration.finalize"),
        register=register,
    )


def _words(options: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in options.items()]
