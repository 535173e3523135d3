"""Say what the stages take before they run: ``eeg plan``."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eegdiffusion.commands.command_line import Choice, Command, SeveralOption
from eegdiffusion.commands.profile import profiles, read_profile
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say

if TYPE_CHECKING:
    from eegdiffusion.operations.planning.corpus_size import CorpusSizes
    from eegdiffusion.operations.planning.plan import Machine, Plan


def stated_sizes(sizes: tuple[str, ...]) -> dict[str, dict[str, object]]:
    """Read ``CORPUS.FIELD=VALUE`` of each, and of a split ``CORPUS.FIELD.SPLIT=VALUE`` is written as YAML's mapping.

    Raises:
        InputError: one is not of this form.
    """
    import yaml

    stated: dict[str, dict[str, object]] = {}
    for text in sizes:
        name, equals, value = text.partition("=")
        corpus, dot, field = name.partition(".")
        if not (equals and dot and field):
            raise InputError(f"--size: must be CORPUS.FIELD=VALUE (found {text!r})")
        stated.setdefault(corpus, {})[field] = yaml.safe_load(value)
    return stated


def planned_document(profile: str | None, fields: tuple[str, ...]) -> tuple[dict, bool]:
    """Return ``params.yaml`` with a profile and fields put in place, and whether that is another than on the disk."""
    from eegdiffusion.commands.params import assign, parsed
    from eegdiffusion.core.runtime.settings import load

    document = load()
    if profile:
        read_profile(profile).put(document)
    for text in fields:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"{text!r}: must be section.field=value")
        assign(document, name, parsed(value))
    return document, bool(profile or fields)


def this_machine(document: dict, jobs: int, gpu: str | None, gpus: int | None) -> "Machine":
    """Return what stages run on: the processors here, with a GPU of this name where one is given."""
    import shutil

    from eegdiffusion.core.runtime.allotment import available_memory
    from eegdiffusion.core.runtime.threads import threads_of_each
    from eegdiffusion.operations.planning.machine_rates import gpu_rates, machine_rates
    from eegdiffusion.operations.planning.plan import Machine

    threads, hardware = threads_of_each(jobs), document["hardware"]
    precision, devices = str(hardware["precision"]), int(hardware.get("devices", 1))
    return Machine(
        processors=machine_rates(threads),
        cores=threads,
        memory=available_memory(),
        disk=shutil.disk_usage(".").free,
        gpu=gpu_rates(gpu, precision) if gpu else None,
        gpus=gpus or devices,
        devices=devices,
        precision=precision,
    )


def sizes_of(document: dict, stated: dict[str, dict[str, object]], root: Path = Path()) -> "CorpusSizes":
    """Return the sizes of the corpora that settings name, as far as a clone knows them."""
    from eegdiffusion.core.runtime.settings import PARAMS, validate
    from eegdiffusion.events.corpora.event_corpus import EventCorpus
    from eegdiffusion.images.corpora.corpus_layouts import ImageCorpus
    from eegdiffusion.operations.planning.corpora_on_disk import corpus_sizes

    events, images = document.get("event_corpora") or {}, document.get("image_corpora") or {}
    return corpus_sizes(
        validate(events, dict[str, EventCorpus], f"{PARAMS}: event_corpora"),
        validate(images, dict[str, ImageCorpus], f"{PARAMS}: image_corpora"),
        stated,
        root,
    )


def said_duration(seconds: float) -> str:
    """Return a time in words: ``40 s``, ``12 min``, ``3.4 h``, ``5.2 d``."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= (2 if unit == "d" else 1) * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def plan_rows(plan: "Plan", on_gpu: bool) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows of the table of a plan."""
    from eegdiffusion.commands.disk import readable

    columns = ["stage", "steps", "time", "memory", *(["GPU memory"] if on_gpu else []), "disk", "while it runs"]
    rows = []
    for stage in plan.stages:
        gpu = [readable(stage.gpu_bytes) if stage.gpu_bytes else ""] if on_gpu else []
        steps = f"{stage.steps:,}" if stage.steps else ""
        disk, work = readable(stage.output_bytes), readable(stage.work_bytes) if stage.work_bytes else ""
        rows.append([stage.name, steps, said_duration(stage.seconds), readable(stage.host_bytes), *gpu, disk, work])
    return columns, rows


def said_plan(plan: "Plan", machine: "Machine", sizes: "CorpusSizes", jobs: int) -> list[str]:
    """Return what is printed of a plan."""
    from tabulate import tabulate

    from eegdiffusion.commands.disk import readable

    columns, rows = plan_rows(plan, machine.gpu is not None)
    lines = [f"{name}: {size.about}" for name, size in sizes.events.items()]
    lines += [f"{name}: {seen.about}" for name, seen in sizes.images.items()]
    lines += ["", *tabulate(rows, columns, disable_numparse=True).splitlines(), ""]
    devices = f" and {machine.gpus} x {machine.gpu.name}" if machine.gpu else ""
    lines.append(f"On {machine.processors.name}{devices}; trainings that stop early take less.")
    laid_out = plan.schedule
    lines.append(f"{len(plan.stages)} stages, {jobs} at a time: {said_duration(laid_out.seconds)}, at most")
    lines.append(f"longest way, {said_duration(laid_out.longest_s)}: {' > '.join(laid_out.longest_way)}")
    cached = readable(2 * plan.output_bytes)
    lines.append(
        f"disk: {readable(plan.disk_bytes(jobs))} of outputs and unfinished work, up to {cached} of outputs with DVC's "
        f"cache where they are no links to it; {readable(machine.disk)} are free"
    )
    lines += sorted({f"assumed: {note}" for stage in plan.stages for note in stage.notes})
    lines += [f"no size: {why}" for why in sizes.unknown.values()]
    left_out = [name for name, why in plan.unplanned.items() if why in sizes.unknown.values()]
    lines += [f"not planned for want of a size: {', '.join(left_out)}"] if left_out else []
    lines += [f"not planned: {name}: {why}" for name, why in plan.unplanned.items() if name not in left_out]
    return lines


def document_of(plan: "Plan", machine: "Machine", sizes: "CorpusSizes", jobs: int) -> dict[str, Any]:
    """Return a plan as plain data, for ``--json``."""
    from dataclasses import asdict

    return {
        "stages": [asdict(stage) for stage in plan.stages],
        "unplanned": dict(plan.unplanned),
        "corpora": {name: asdict(size) for name, size in sizes.events.items()}
        | {name: asdict(seen) for name, seen in sizes.images.items()},
        "machine": asdict(machine),
        "jobs": jobs,
        "seconds": plan.schedule.seconds,
        "longest_way": plan.schedule.longest_way,
        "longest_s": plan.schedule.longest_s,
        "disk_bytes": plan.disk_bytes(jobs),
        "problems": list(plan.problems),
    }


@click.command("plan", cls=Command)
@click.argument("stages", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Stages that are up to date too.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Stages at a time.")
@click.option("--gpu", metavar="NAME", help="A GPU that networks run on, e.g. a100, h100, l4, rtx4090.")
@click.option("--gpus", type=click.IntRange(1), help="Number of GPUs; default: hardware.devices.")
@click.option("--profile", type=Choice(profiles()), help="Plan for papers' settings, which are not put in place.")
@click.option("--set", "fields", cls=SeveralOption, metavar="SECTION.FIELD=VALUE", help="Plan for other settings.")
@click.option("--size", "sizes", cls=SeveralOption, metavar="CORPUS.FIELD=VALUE", help="State a corpus's size.")
@click.option("--problems", "problems_alone", is_flag=True, help="Say what does not fit, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def command(
    stages: tuple[str, ...], everything: bool, jobs: int, gpu: str | None, gpus: int | None, profile: str | None,
    fields: tuple[str, ...], sizes: tuple[str, ...], problems_alone: bool, as_json: bool,
) -> None:  # fmt: skip
    """Say what STAGES and all that they wait for would take: steps, time, memory, disk, and what does not fit.

    It runs nothing and refuses nothing. Without STAGES the whole graph is planned, of it what is out of date.
    """
    import sys

    from eegdiffusion.commands.repro import WARNING, require_stages
    from eegdiffusion.commands.side_by_side import chosen
    from eegdiffusion.operations.planning.gpu_table import find_gpu

    if problems_alone:  # beside stages that run
        os.nice(10)
    require_stages(stages)
    stated = stated_sizes(sizes)
    if gpu:
        find_gpu(gpu)
    document, changed = planned_document(profile, fields)
    from eegdiffusion.operations.planning.plan import make_plan
    from eegdiffusion.operations.planning.stage_cost import Planned
    from eegdiffusion.operations.planning.stale_stages import read_stages, stages_of, stale_stages

    machine = this_machine(document, jobs, gpu, gpus)
    upstream = stages_of(document) if changed else read_stages(Path())
    wanted = set(chosen(upstream, (), stages))
    stale = list(upstream) if everything or changed else stale_stages(upstream)
    names = [name for name in upstream if name in wanted and name in stale]
    if not names and not problems_alone:
        say("Everything is up to date; `eeg plan --all` plans it all the same.")
    if not names:
        return
    corpora = sizes_of(document, stated)
    plan = make_plan(Planned(document, corpora), upstream, names, machine, jobs)
    if as_json:
        say(*json.dumps(document_of(plan, machine, corpora, jobs), indent=2).splitlines())
    elif not problems_alone:
        say(*said_plan(plan, machine, corpora, jobs))
    for problem in plan.problems:
        say(f"{WARNING}{problem}", stream=sys.stderr)
