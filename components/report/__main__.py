"""Write the report: ``python -m components.report``."""

from components.report.settings import (
    Ablations,
    ConDiffusionStudies,
    EncoderExperiments,
    EventTasks,
    LFTTests,
    ProbedTasks,
    ReportSettings,
    SGDMStudies,
)
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.stage import Stage, stage


@stage("report")
def main(run: Stage) -> None:
    """Read settings and inputs, compare the results, draw and write the page."""
    settings = ReportSettings(
        corpus=run.settings(Name, "finetune_lft.corpus"),
        backbones=run.settings(list[str], "matrix.backbones"),
        labels=run.settings(list[str], "matrix.labels"),
        seeds=run.settings(list[int], "matrix.seeds"),
        baselines=run.settings(list[str], "matrix.baselines"),
        probes=run.settings(list[str], "matrix.probes"),
        ablations=run.settings(Ablations, "ablations"),
        lft_tests=run.settings(LFTTests, "lft_tests"),
        probe_tasks=run.settings(ProbedTasks, "probe_tasks"),
        event_tasks=run.settings(EventTasks, "event_tasks"),
        eeg_encoders=run.settings(EncoderExperiments, "eeg_encoders"),
        sgdm=run.settings(SGDMStudies, "sgdm"),
        condiffusion=run.settings(ConDiffusionStudies, "condiffusion"),
    )
    with loading_modules():
        from components.report.compute import ReportInputs, compute
        from eegdiffusion.report.page import write_report
    inputs = ReportInputs(
        event_corpora=run.input("event_corpora"),
        backbones=run.input("backbones"),
        classifiers=run.input("classifiers"),
        baselines=run.input("baselines"),
        probes=run.input("probes"),
        tasks=run.input("tasks"),
        encoders=run.input("encoders"),
        models={
            "structural VAE": run.input("structural_vae"),
            "generator": run.input("generator"),
            "EEG-ConDiffusion": run.input("condiffusion"),
            "ControlNet": run.input("controlnet"),
        },
        reconstructions=run.input("reconstructions"),
    )
    out = run.output("reports")
    write_report(out, compute(inputs, settings, out))


if __name__ == "__main__":
    main()
