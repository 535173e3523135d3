import re
import shutil

import pytest
import yaml

from components.cache_latents.settings import CacheLatents
from components.embed_images.settings import EmbedImages
from components.finetune_lft.settings import FinetuneLFT
from components.ingest_events.settings import IngestEvents
from components.ingest_images.settings import ImageCorpus, IngestImages
from components.preprocess_events.settings import PreprocessEvents
from components.pretrain_ssmdp.settings import PretrainSSMDP
from components.train_baselines.settings import TrainBaselines
from components.train_eeg_encoder.settings import TrainEEGEncoder
from components.train_structural_vae.settings import TrainStructuralVAE
from eegdiffusion.commands.params import command, profiles
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import PARAMS, read
from eegdiffusion.core.signal.epoching import Epoching
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.corpora.event_corpus import EventCorpus
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.training.pretraining_settings import BackboneVariant
from eegdiffusion.images.encoders.encoder_settings import EncoderExperiment
from eegdiffusion.images.generation.generation_config import GenerationConfig

SECTIONS = {
    "event_corpora": dict[str, EventCorpus],
    "ingest_events": IngestEvents,
    "ingest_images": IngestImages,
    "embed_images": EmbedImages,
    **{f"epochs.{name}": Epoching for name in ("demo", "nice", "official", "eegcvpr40")},
    "image_corpora": dict[str, ImageCorpus],
    "eeg_encoders": dict[str, EncoderExperiment],
    "image_generation": dict[str, GenerationConfig],
    "train_eeg_encoder": TrainEEGEncoder,
    "train_structural_vae": TrainStructuralVAE,
    "preprocess_events": PreprocessEvents,
    "pretrain_ssmdp": PretrainSSMDP,
    "cache_latents": CacheLatents,
    "finetune_lft": FinetuneLFT,
    "train_baselines": TrainBaselines,
    "hardware": Hardware,
    "backbones.base": BackboneVariant,
    "latents.base": Latents,
}


def main(words):
    """Run `eeg params`, or raise its error."""
    command.main(words, standalone_mode=False)


@pytest.fixture
def params(tmp_path, monkeypatch):
    shutil.copy(PARAMS, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "params.yaml"


@pytest.mark.parametrize("profile", [None, *profiles()])
def test_every_section_is_valid(params, profile):
    if profile:
        main(["profile", profile])
    for name, cls in SECTIONS.items():
        read(name, cls)


def test_the_paper_profile_holds_the_papers_numbers(params):
    """EEGDM's settings as facts state them: backbone 5.93 M, LFT 6.90 M parameters, and their optimisation."""
    main(["profile", "paper"])
    pretraining, lft = read("pretrain_ssmdp", PretrainSSMDP), read("finetune_lft", FinetuneLFT)
    assert (pretraining.optimisation.batch_size, pretraining.optimisation.max_epochs) == (108, 100)
    assert pretraining.optimisation.betas == (0.9, 0.999)
    assert pretraining.optimisation.learning_rate == 1e-4
    assert lft.optimisation.batch_size * lft.optimisation.accumulate_batches == 256
    assert (lft.optimisation.min_epochs, lft.optimisation.patience, lft.label_smoothing) == (20, 3, 0.1)
    assert lft.model.token_scale == 1
    assert read("latents.base", Latents).step == 1
    nice = read("train_eeg_encoder", TrainEEGEncoder).align.optimisation
    assert (nice.batch_size, nice.max_epochs, nice.learning_rate, nice.betas) == (1000, 200, 2e-4, (0.5, 0.999))
    document = yaml.safe_load(params.read_text())
    assert document["matrix"]["seeds"] == [0, 1, 2, 3, 4]

    from dataclasses import asdict

    from eegdiffusion import LFT, SSMDP

    backbone = SSMDP(**asdict(pretraining.model))
    assert round(sum(p.numel() for p in backbone.parameters()) / 1e6, 2) == 5.93
    model = LFT(d_model=128, n_layer=20, n_pool=5, n_channel=22, n_class=6, **asdict(lft.model))
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 2) == 6.90


def test_setting_a_field_keeps_the_comments(params):
    before = params.read_text()
    main(["set", "hardware.devices=2", "preprocess_events.scheduler=tcp://a:1", "matrix.seeds=[7]"])
    after = yaml.safe_load(params.read_text())
    assert after["hardware"]["devices"] == 2
    assert after["matrix"]["seeds"] == [7]
    assert params.read_text().count("null") == before.count("null") - 1, "the address has taken the place of one"
    assert after["preprocess_events"]["scheduler"] == "tcp://a:1"
    assert [line for line in before.splitlines() if line.startswith("#")] == [
        line for line in params.read_text().splitlines() if line.startswith("#")
    ]


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["hardware.devises=2"], "no such field"),
        (["hardware.devises=2"], "did you mean 'hardware.devices'"),
        (["nowhere.x=1"], "no such field"),
        (["hardware"], "section.field=value"),
    ],
)
def test_what_is_not_there_is_refused_and_nothing_changes(params, words, rule):
    before = params.read_text()
    with pytest.raises(InputError, match=re.escape(rule)):
        main(["set", *words])
    assert params.read_text() == before


def _corpora(params) -> dict:
    document = yaml.safe_load(params.read_text())
    return {name: document[name] for name in ("image_corpora", "eeg_encoders", "image_generation", "event_corpora")}


def test_the_demos_images_do_not_stand_beside_a_real_tuev(params):
    assert _corpora(params)["eeg_encoders"]
    main(["corpora", "--tuev", "/data/edf"])
    found = _corpora(params)
    assert found["event_corpora"] == {"tuev": {"root": "/data/edf", "layout": "tuev"}}
    assert all(found[name] == {} for name in ("image_corpora", "eeg_encoders", "image_generation"))


def test_a_things_corpus_takes_the_demos_place_and_its_rows_stay(params, tmp_path):
    before = _corpora(params)
    folder = tmp_path / "things/sub-01/ses-01"
    folder.mkdir(parents=True)
    (folder / "raw_eeg_training.npy").touch()
    main(["corpora", "--things", str(tmp_path / "things")])
    found = _corpora(params)
    wanted = {"root": str(tmp_path / "things"), "layout": "things_eeg2_raw", "epochs": "nice"}
    study = before["image_generation"]["things"] | {"pictures": str(tmp_path / "things")}
    assert found == before | {"image_corpora": {"things": wanted}, "image_generation": {"things": study}}
    main(["corpora", "--tuev", "/data/edf"])
    assert _corpora(params)["image_corpora"] == {"things": wanted}, "it is no surrogate and stays"
    (folder / "raw_eeg_training.npy").unlink()
    with pytest.raises(InputError, match="holds neither THINGS-EEG2's"):
        main(["corpora", "--things", str(tmp_path)])
