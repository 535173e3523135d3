"""The command ``eeg``: its commands are imported when one of them is used."""

from importlib import import_module
from pathlib import Path

import click

from eegdiffusion.core.runtime.shell import errors_as_exit_status

COMMANDS = {
    "predict": ("predict", "Find the EEG events of recordings with a registered model."),
    "evaluate": ("evaluate", "Score a registered classifier on the test split of a window store."),
    "score": ("score", "Score predicted events against a reference's, as SzCORE does."),
    "operating-points": ("operating_points", "Choose thresholds of events for a stated rate of false ones."),
    "deidentify": ("deidentify", "Write recordings without what identifies their patients."),
    "generate": ("generate", "Make pictures from EEG epochs with a registered model."),
    "adapt": ("adapt", "Adapt a registered encoder of EEG and images to a new subject."),
    "serve": ("servers:serve", "Serve a registered model over HTTP."),
    "repro": ("repro", "Run the stages that are out of date, several at a time."),
    "plan": ("plan", "Say what the stages take before they run: time, memory, disk."),
    "params": ("params", "Change params.yaml: fields, profiles, corpora of one's own."),
    "disk": ("disk", "Say what lies where on the disk."),
    "backup": ("backup:backup", "Copy MLflow's store, Airflow's database and DVC's remote to a folder."),
    "restore": ("backup:restore", "Put back what was backed up."),
    "ablate": ("ablate", "Run families of ablations."),
    "register": ("register", "Register the models of the last run."),
    "promote": ("promote", "Let challengers that pass the registry's gate become champions."),
    "key": ("key", "Make and exchange the keys that registered models are signed with."),
    "openlineage": ("openlineage", "Send OpenLineage's events of stages that have run."),
    "crate": ("crate", "Write the run behind a result as an RO-Crate, for a paper or an archive."),
    "data-card": ("data_card", "Describe a corpus in Croissant, for catalogues of data sets."),
    "lineage": ("lineage", "Say which recordings are behind a number, a file or a model."),
    "reproduce": ("reproduce", "Train a registered model again and compare its metrics."),
    "export": ("export", "Write a registered model for others' code: hub folder, torch.export, ONNX."),
    "import-checkpoint": ("import_checkpoint", "Make a published EEGDM checkpoint a model of this project."),
    "mlflow": ("servers:mlflow", "Open the local MLflow server."),
    "airflow": ("servers:airflow", "Open a local Airflow on dags/, or run Airflow's command on it."),
    "surrogate": ("surrogate", "Make the demo's corpora."),
    "example": ("example", "Write a small recording or epochs to try a model on."),
}
"""name -> module of :mod:`eegdiffusion.commands` (and what it calls the command), and what it does."""

COMPLETION = 'Completion of words in your shell: eval "$(_EEG_COMPLETE=bash_source eeg)", or zsh_source, fish_source.'


class LazyGroup(click.Group):
    """The commands of ``COMMANDS``, each imported on first use; their help in a list costs no import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None where there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        return getattr(import_module(f"eegdiffusion.commands.{module}"), attribute or "command")

    def resolve_command(self, ctx: click.Context, args: list[str]):
        """Find the command that the arguments name, or raise an error that lists the near ones."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context):
        """Run a command; one that is interrupted while it is imported ends like one that is interrupted later."""
        with errors_as_exit_status("eeg"):
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=LazyGroup, epilog=COMPLETION, context_settings={"help_option_names": ["-h", "--help"]})
def app() -> None:
    """EEG diffusion models: train, compare, register, use.

    Acts on the clone of the repository that you stand in, at any depth.
    """


def main(argv: list[str] | None = None) -> None:
    """Run ``eeg`` with these words (default: those of the process); exits with the command's status."""
    app.main(args=argv, prog_name="eeg", obj=Path.cwd())
