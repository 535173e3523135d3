"""Where the tasks of a run work, and the commands that open, run, seal and use such a place.

Shared: a workspace on a file system that every task sees. Isolated: a clone of the run's branch for each task, where no
file system is shared; data go through DVC's remote.
"""

from dataclasses import dataclass

from _settings import Settings

MODULE = ("python", "-m")


@dataclass(frozen=True)
class Place:
    """Words of commands, and where they work: a folder, or (isolated) a branch, "" for the default one.

    Attributes:
        home: of tasks that belong to no run.
        run: of a run's tasks (a template).
        open: opens the run.
        stage: precedes a stage's name.
        seal: seals the run.
        register: registers its models.
    """

    home: str
    run: str
    open: tuple[str, ...]
    stage: tuple[str, ...]
    seal: tuple[str, ...]
    register: tuple[str, ...]


def place(settings: Settings, stages: list[str]) -> Place:
    """Choose the place by the settings.

    Args:
        settings: isolated where ``git_url`` is set.
        stages: the stages that a run will be asked for.
    """
    asked = {
        "--run": "{{ run_id }}",
        "--revision": "{{ params.revision or '' }}",
        "--overrides": "{{ (params.overrides or {}) | tojson }}",
    }
    register = (*MODULE, "eegdiffusion.commands", "register")
    if settings.git_url:
        isolated, branch = (*MODULE, "eegdiffusion.operations.orchestration.isolated"), "retrain/{{ run_id | slug }}"
        return Place(
            home="",
            run=branch,
            open=(*isolated, "open", *_words(asked | {"--branch": branch}), "--stages", *stages),
            stage=(*isolated, "stage"),
            seal=(*isolated, "seal"),
            register=(*isolated, "after", "models", *register),
        )
    workspace = f"{settings.runs_folder}/{{{{ run_id | slug }}}}"
    asked |= {"--repository": settings.repository, "--workspace": workspace}
    return Place(
        home=settings.repository,
        run=workspace,
        open=(*MODULE, "eegdiffusion.operations.orchestration.open_run", *_words(asked), "--stages", *stages),
        stage=(*MODULE, "eegdiffusion.operations.orchestration.run_stage"),
        seal=(*MODULE, "eegdiffusion.operations.orchestration.finalize"),
        register=register,
    )


def _words(asked: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in asked.items()]
