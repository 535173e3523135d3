"""The rule of each stage that says what it takes; a stage without one fails a test."""

from importlib import import_module

from eegdiffusion.operations.planning.stage_cost import Rule

COST_RULES = {
    "event_data_costs": ("ingest_events", "preprocess_events"),
    "event_model_costs": (
        "pretrain_ssmdp",
        "cache_latents",
        "finetune_lft",
        "ablate_lft",
        "finetune_tasks",
        "test_lft",
        "train_baselines",
        "probe_latents",
        "probe_tasks",
    ),
    "image_data_costs": ("ingest_images", "embed_images"),
    "encoder_costs": ("train_eeg_encoder",),
    "generation_costs": (
        "prepare_generator",
        "train_structural_vae",
        "train_controlnet",
        "train_condiffusion",
        "reconstruct_sgdm",
        "reconstruct_condiffusion",
    ),
    "report_costs": ("report",),
}
"""Module of this room -> the stages whose rules it has, each a function of the stage's name."""


def ruled_stages() -> list[str]:
    """Return the names of the stages that have a rule."""
    return [stage for stages in COST_RULES.values() for stage in stages]


def rule_of(stage: str) -> Rule:
    """Return the rule of a stage, which has one."""
    (module,) = [module for module, stages in COST_RULES.items() if stage in stages]
    return getattr(import_module(f"eegdiffusion.operations.planning.{module}"), stage)
