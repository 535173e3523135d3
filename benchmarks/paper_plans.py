"""Plans of the papers' profiles, between two comments of ``docs/plan.md``: ``python -m benchmarks.paper_plans``."""

import re
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path

PAGE = Path("docs/plan.md")

GPU = "h100"

EVENTS = ("ingest_events", "preprocess_events", "pretrain_ssmdp", "cache_latents", "finetune_lft", "train_baselines",
          "probe_latents", "report")  # fmt: skip
IMAGES = ("ingest_images", "embed_images", "train_eeg_encoder", "prepare_generator", "train_structural_vae",
          "train_controlnet", "train_condiffusion", "reconstruct_sgdm", "reconstruct_condiffusion",
          "report")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A plan of the page.

    Attributes:
        title: its heading.
        profile: profile of the papers' settings.
        corpus: entry of params.yaml that it is of; other corpora are left out.
        stages: stages that are planned.
        gpus: number of GPUs, of which a training takes all, and others one each.
    """

    title: str
    profile: str
    corpus: str
    stages: tuple[str, ...]
    gpus: int


CASES = (
    Case("EEGDM on TUEV, one H100", "paper", "tuev", EVENTS, 1),
    Case("EEGDM on TUEV, eight H100, a stage on each", "paper", "tuev", EVENTS, 8),
    Case("SGDM on THINGS-EEG2, one H100", "paper-things", "things", IMAGES, 1),
    Case("EEG-ConDiffusion on EEGCVPR40, one H100", "paper-eegcvpr40", "eegcvpr40", IMAGES, 1),
)


def document_of(case: Case) -> dict:
    """Return the settings of a case: the profile, with its corpus alone."""
    from eegdiffusion.commands.plan import planned_document

    document, _ = planned_document(case.profile, ())
    kept = {"event_corpora": case.corpus, "image_corpora": case.corpus}
    for section, name in kept.items():
        document[section] = {key: entry for key, entry in document[section].items() if key == name}
    for section in ("latents", "probe_tasks", "event_tasks", "eeg_encoders", "ablations"):
        corpora = {*document["event_corpora"], *document["image_corpora"]}
        entries = (document.get(section) or {}).items()
        document[section] = {key: entry for key, entry in entries if entry.get("corpus") in corpora}
    document["event_tasks"] = {}
    return document


def section(case: Case, machine, counted: dict) -> str:
    """Return the plan of a case as Markdown."""
    from eegdiffusion.commands.disk import readable
    from eegdiffusion.commands.plan import said_duration
    from eegdiffusion.operations.planning.corpus_size import CorpusSizes, published_sizes
    from eegdiffusion.operations.planning.plan import make_plan
    from eegdiffusion.operations.planning.stage_cost import Planned
    from eegdiffusion.operations.planning.stale_stages import stages_of

    document, published = document_of(case), published_sizes()
    sizes = CorpusSizes(
        {name: published.events[entry["layout"]] for name, entry in document["event_corpora"].items()},
        {name: published.images[entry["layout"]] for name, entry in document["image_corpora"].items()},
    )
    whole = dict(document)
    whole["event_corpora"] = document["event_corpora"] or {"tuev": {"root": "none", "layout": "tuev"}}
    upstream = stages_of(whole)
    names = [name for name in upstream if name.partition("@")[0] in case.stages]
    names = [name for name in names if case.corpus != "tuev" or "events" not in name or name.endswith("@tuev")]
    planned = Planned(document, sizes, counted.setdefault(case.profile, {}))
    jobs = max(2, case.gpus)
    plan = make_plan(planned, upstream, names, replace(machine, gpus=case.gpus), jobs)
    if plan.unplanned:
        raise SystemExit("\n".join(f"{name}: {why}" for name, why in plan.unplanned.items()))
    stages = defaultdict(list)
    for stage in plan.stages:
        stages[stage.name.partition("@")[0]].append(stage)
    lines = [f"### {case.title}", "", f"{next(iter([*sizes.events.values(), *sizes.images.values()])).about}.", ""]
    lines += [
        "| stage | items | steps, of all | time, of all | memory | GPU memory | disk, of all |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, each in stages.items():
        gpu = max((stage.gpu_bytes or 0 for stage in each), default=0)
        steps = sum(stage.steps for stage in each)
        cells = [name, str(len(each)), f"{steps:,}" if steps else ""]
        cells += [
            said_duration(sum(stage.seconds for stage in each)),
            readable(max(stage.host_bytes for stage in each)),
        ]
        cells += [readable(gpu) if gpu else "", readable(sum(stage.output_bytes for stage in each))]
        lines.append(f"| {' | '.join(cells)} |")
    laid_out = plan.schedule
    way = " > ".join(dict.fromkeys(name.partition("@")[0] for name in laid_out.longest_way))
    longest, disk = said_duration(laid_out.longest_s), readable(plan.disk_bytes(jobs))
    lines += ["", f"With {jobs} stages at a time at most {said_duration(laid_out.seconds)}."]
    lines += [f"The longest way takes {longest}: {way}. Disk while it runs: {disk}."]
    return "\n".join(lines)


def main() -> None:
    """Plan all cases, and write them into the page."""
    from eegdiffusion.operations.planning.machine_rates import gpu_rates, machine_rates
    from eegdiffusion.operations.planning.plan import Machine

    precision = "bf16-mixed"
    machine = Machine(
        machine_rates(1), cores=8, memory=1 << 40, disk=1 << 50, gpu=gpu_rates(GPU, precision), precision=precision
    )
    counted: dict = {}
    text = "\n\n".join(section(case, machine, counted) for case in CASES)
    begin, end = "<!-- plans: made by", "<!-- end of plans -->"
    page = PAGE.read_text()
    head = page[page.index(begin) : page.index("-->", page.index(begin)) + 3]
    PAGE.write_text(re.sub(f"{begin}.*?{end}", lambda _: f"{head}\n{text}\n{end}", page, flags=re.DOTALL))
    print(asdict(machine)["processors"]["name"])


if __name__ == "__main__":
    main()
