"""A run as a research object for a paper: ``eeg crate``."""

from pathlib import Path
from typing import Any

import click

from eegdiffusion.commands.command_line import PATH, Command
from eegdiffusion.commands.registered_models import unsigned_option
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say

ALWAYS = ("dvc.yaml", "params.yaml", "params.schema.json", "requirements.lock", "LICENSE", "CITATION.cff")
"""Files of the clone that say which code, settings and environment the run had, and on what terms."""


@click.command("crate", cls=Command)
@click.argument("folder", type=PATH)
@click.option("--of", "target", default="reports", show_default=True, help="Result, as `eeg lineage` takes it.")
@click.option(
    "--with-models", is_flag=True, help="Copy the weights of the stages behind it too, not their hashes alone."
)
@unsigned_option
def command(folder: Path, target: str, with_models: bool, unsigned: bool) -> None:
    """Write the run behind a result to FOLDER as an RO-Crate, which archives and journals take.

    It holds dvc.yaml, dvc.lock, settings, environment, report, metrics and cards of the corpora, and says of each stage
    what it read and wrote, by hash. Recordings are not in it: recordings.csv has their SHA-256, without names of files,
    which may name persons. FOLDER must be new or empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: must be new or an empty folder")
    with loading_modules():
        from datetime import UTC, datetime

        from eegdiffusion.commands.lineage import trace
        from eegdiffusion.core.runtime.git_repository import checked_out_revision
        from eegdiffusion.core.runtime.run_record import read_records
        from eegdiffusion.core.runtime.yaml_text import parse_yaml
        from eegdiffusion.operations.lineage.crate_files import corpus_facts, data_cards, result_files
        from eegdiffusion.operations.lineage.research_crate import CrateContents, write_crate
        from eegdiffusion.operations.lineage.workspace_graph import open_workspace_graph
        from eegdiffusion.operations.registry.provenance import PATCH, uncommitted_patch
    citation: Any = parse_yaml(Path("CITATION.cff").read_text(), Path("CITATION.cff"))
    with open_workspace_graph() as workspace:
        traced = workspace.with_corpora(trace(target, workspace.graph, workspace.cache, unsigned))
        patch = uncommitted_patch().decode(errors="replace")
        contents = CrateContents(
            name=f"{citation['title']}: run behind {traced.target}",
            description=" ".join(str(citation["abstract"]).split()),
            authors=[str(author.get("name", "")) for author in citation["authors"]],
            licence=str(citation["license"]),
            revision=traced.revision or checked_out_revision(),
            traced=traced,
            lock=workspace.lock,
            files={name: Path(name) for name in ALWAYS if Path(name).is_file()}
            | result_files(traced, workspace.cache, with_models),
            texts=data_cards(traced.corpora) | ({PATCH: patch} if patch else {}),
            records=[each for each in read_records() if _is_behind(each.stage, each.item, traced.graph.stages)],
            when=datetime.now(UTC),
            corpora=corpus_facts(traced.corpora),
        )
        folder.mkdir(parents=True, exist_ok=True)
        names = write_crate(folder, contents)
    say(f"{folder}: {len(names)} files and {len(traced.graph.stages)} stages; ro-crate-metadata.json describes them")


def _is_behind(stage: str, item: str, stages: dict) -> bool:
    return (f"{stage}@{item}" if item else stage) in stages
