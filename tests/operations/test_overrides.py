"""What whoever starts a run of Airflow may set for it."""

import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.configuration.overrides import require_overridable
from eegdiffusion.operations.configuration.sections import field_names, section_type, section_types

TAKEN = {
    "finetune_lft.optimisation.max_epochs": 3,
    "train_baselines.optimisation.learning_rate": 0.002,
    "pretrain_ssmdp.seed": 1,
    "finetune_lft.latents": "base",
    "finetune_lft.optimisation.betas": [0.9, 0.98],
    "finetune_lft.model": {"n_fusion": 4, "fusion": "mean"},
    "latents.base.codec": "float16",
    "latents.base": {"backbone": "base", "corpus": "tuev"},
    "backbones.base.mu_law": False,
    "eeg_encoders.aligned.options.hidden": 16,
    "eeg_encoders.aligned.subjects": ["sub-01"],
    "matrix.seeds": [0],
    "hardware.accelerator": "cpu",
    "preprocess_events.filtering": {},
    "train_eeg_encoder.classify.classes": None,
    "unknown": 65,
}

REFUSED = {
    "preprocess_events.scheduler": "tcp://10.0.0.1:8786",
    "preprocess_events": {"scheduler": None},
    "event_corpora.tuev.root": "/etc",
    "event_corpora.tuev": {"root": "x", "layout": "tuev"},
    "image_corpora.things.images": "pictures",
    "image_corpora.things.eegcvpr40.signals": "x",
    "embed_images.source": "somebody/model",
    "embed_images.structure_source": "x",
    "prepare_generator.pipeline": "x",
    "prepare_generator.ip_adapter": "x",
    "prepare_generator": {"pipeline": None},
    "reconstruct_sgdm.metrics.weights.clip": "x",
    "reconstruct_condiffusion.metrics.weights": {},
    "epochs.demo.channels": "(a+)+$",
    "finetune_lft.latents": "../../etc",
    "latents.base.backbone": "/etc",
    "eeg_encoders.aligned.options.weights": "https://example.org/x",
    "eeg_encoders.aligned.options.nested": {"a": ["/etc/passwd"]},
    "eeg_encoders.aligned.options.keys": {"../a": 1},
    "matrix.backbones": ["a$(touch x)"],
    "unknown": "two words",
    "a b": 1,
    "--help": 1,
    "": 1,
    "matrix..seeds": [0],
}


def test_numbers_choices_and_names_are_taken():
    require_overridable(TAKEN)
    require_overridable({})


@pytest.mark.parametrize("name", REFUSED)
def test_paths_addresses_and_other_text_are_not(name):
    with pytest.raises(InputError, match=r"^overrides: ") as error:
        require_overridable(TAKEN | {name: REFUSED[name]})
    assert repr(name).strip("'") in str(error.value)


@pytest.mark.parametrize("overrides", [None, [], "x", [["a", 1]], 3])
def test_anything_but_a_mapping_is_refused(overrides):
    with pytest.raises(InputError, match=r"^overrides: must be a mapping"):
        require_overridable(overrides)


WORDS = ("root", "path", "folder", "file", "address", "url", "host", "uri", "source", "weights", "signals")


def test_no_field_that_is_called_after_a_path_or_an_address_is_taken():
    names = {name for section in section_types() for name in field_names(section_type(section), f"{section}.")}
    suspicious = [name for name in sorted(names) if any(word in name.rpartition(".")[2] for word in WORDS)]
    assert len(suspicious) >= 3
    for name in suspicious:
        with pytest.raises(InputError):
            require_overridable({name: "x"})
