"""OpenLineage's events of what has run: ``eeg openlineage``."""

import click

from eegdiffusion.commands.command_line import Command
from eegdiffusion.core.runtime.printable import say


@click.command("openlineage", cls=Command)
@click.option("--again", is_flag=True, help="Also of runs whose events are out, as for a server that is new.")
def command(again: bool) -> None:
    """Send the events of stages that have run and whose events are not out, as after `dvc repro` by hand.

    They go to mlruns/openlineage.jsonl, or to the server that OPENLINEAGE_URL names. The id of a run is always the
    same, so that what is sent twice is known for one.
    """
    from eegdiffusion.operations.lineage import lineage_transport

    if again:
        lineage_transport.SENT.unlink(missing_ok=True)
    count = lineage_transport.emit_stages()
    lineage_transport.emit([])
    where = lineage_transport.destination()
    say(f"{where}: events of {count} run{'' if count == 1 else 's'} of stages")
