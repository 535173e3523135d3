"""EEG-ConDiffusion: what is trained and what stays, what the text encoder is given, pictures, refusals."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.core.training.fit import fit
from eegdiffusion.images.condiffusion.adaptation import Adaptation
from eegdiffusion.images.condiffusion.condiffusion import (
    ConDiffusion,
    check_generator,
    load_condiffusion,
    make_condiffusion,
)
from eegdiffusion.images.condiffusion.condiffusion_sampling import generate_images, load_pipeline
from eegdiffusion.images.condiffusion.condiffusion_training import (
    ConDiffusionTraining,
    EEGFeatureDataset,
    compare_conditions,
    feature_spread,
)
from eegdiffusion.images.encoders.eegconvnet import EEGConvNet
from eegdiffusion.images.encoders.eegnet import EEGNet
from eegdiffusion.images.epochs.paired_epochs import mismatched
from eegdiffusion.images.generation.denoising_settings import Denoising
from eegdiffusion.images.generation.generator import Source, load_generator, open_generator
from eegdiffusion.images.generation.image_sampling import seeds_for
from eegdiffusion.images.generation.prompts import class_prompts, prompt_embeddings, unknown_prompts
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.surrogate.text_to_image.captions import make_tokenizer
from tests import tiny_generator
from tests.core.test_fit import HARDWARE, optimisation

CHANS, TIMES = 6, 80
QUICK = Sampling(sampler="unipc", steps=3, guidance=2.0)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Folders of a generator with random weights, and of one that knows two pictures."""
    folder = tmp_path_factory.mktemp("generators")
    pipeline = tiny_generator.write_stable_diffusion(folder / "sd15")
    random = tiny_generator.write_generator(folder / "random", pipeline)
    generator = load_generator(random)
    pretrain(generator)
    generator.unet.save_pretrained(pipeline / "unet")
    return {"random": random, "pretrained": tiny_generator.write_generator(folder / "pretrained", pipeline)}


def pretrain(generator) -> None:
    """Teach a UNet the two pictures: one with random weights could not use what cross-attention tells it."""
    draw, latents = torch.Generator().manual_seed(0), torch.from_numpy(conditions(2).latents)
    unet, tokens = generator.unet.train().requires_grad_(True), torch.randn(2, 4, tiny_generator.WIDTH, generator=draw)
    optimiser = torch.optim.AdamW(unet.parameters(), 3e-3)
    for _ in range(150):
        image, steps = torch.randint(2, (16,), generator=draw), torch.randint(1000, (16,), generator=draw)
        noise = torch.randn(16, 4, 4, 4, generator=draw)
        given = tokens[image] * (torch.rand(16, 1, 1, generator=draw) > 0.3)
        found = unet(generator.scheduler.add_noise(latents[image], noise, steps), steps, given).sample
        optimiser.zero_grad()
        (found - noise).square().mean().backward()
        optimiser.step()


def classifier() -> EEGConvNet:
    torch.manual_seed(2)
    return EEGConvNet(CHANS, TIMES, 3).eval().requires_grad_(False)


def conditions(epochs: int) -> EEGFeatureDataset:
    """Features of two kinds, and two pictures that they stand for."""
    draw = np.random.default_rng(epochs)
    image = np.arange(epochs) % 2
    kinds = np.random.default_rng(0).standard_normal((2, 77, 768))
    latents = np.stack([np.full((4, 4, 4), value, np.float32) for value in (-0.5, 0.5)])
    features = kinds[image] + 0.3 * draw.standard_normal((epochs, 77, 768))
    return EEGFeatureDataset(features.astype(np.float16), image, latents)


class Failing(EEGFeatureDataset):
    """Fails at a read."""

    left = 10

    def __getitems__(self, indices):
        type(self).left -= 1
        if not self.left:
            raise RuntimeError("the machine went away")
        return super().__getitems__(indices)


def train(generator, work, kind="full", data=None, checkpointing=False, rate_factors=None, **changes):
    torch.manual_seed(0)
    model = make_condiffusion(generator, classifier(), kind, 4)
    data = data or conditions(32)
    model.projection.fit_scale(*feature_spread(data.features))
    denoising = Denoising(condition_dropout=0.2, min_snr_gamma=5.0, gradient_checkpointing=checkpointing)
    settings = optimisation(**({"max_epochs": 1, "one_cycle": False, "batch_size": 8} | changes))
    module = ConDiffusionTraining(model, generator.unet, generator.scheduler, denoising, settings, 5, rate_factors)
    fit(module, data, conditions(16), monitor="validation_loss", mode="min", hardware=HARDWARE, work=work)
    return module


def weights(generator) -> dict[str, torch.Tensor]:
    parts = {"unet": generator.unet, "vae": generator.vae, "text_encoder": generator.text_encoder}
    return {f"{part}.{name}": value.clone() for part, m in parts.items() for name, value in m.state_dict().items()}


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_only_text_encoder_cross_attention_and_projection_are_trained(places, tmp_path, kind):
    before = weights(load_generator(places["random"]))
    generator = load_generator(places["random"])
    module = train(generator, tmp_path, kind)
    module.model.install(generator.unet)
    generator.text_encoder = module.model.text_encoder
    after = weights(generator)
    changed, plain = set(), {name.replace(".base_layer", ""): value for name, value in after.items()}
    for name, value in before.items():
        if "token_embedding" not in name and not torch.equal(value, plain[name]):
            changed.add(name)
    if kind == "lora":
        assert not changed
        assert {name for name in plain if "lora_" in name}
        adapters = {name: value for name, value in after.items() if "lora_B" in name}
        assert all(".attn2." in name or name.startswith("text_encoder.") for name in adapters)
        assert all(value.any() for value in adapters.values()), "every adapter begins at zero and was trained"
        assert len(adapters) == 4 * 4 + 4 * 2  # four attn2, two layers of the text encoder
    else:
        expected = {name for name in before if ".attn2." in name or name.startswith("text_encoder.")}
        # A bias that is added to every key of a query changes no attention, and gets no gradient to speak of.
        assert changed >= {n for n in expected if "token_embedding" not in n and not n.endswith("k_proj.bias")}
        assert changed <= expected
    counted = module.model.trained()
    optimised = sum(p.numel() for group in module.optimizers().param_groups for p in group["params"])
    assert sum(counted.values()) == optimised == sum(p.numel() for p in module.parameters() if p.requires_grad)
    if kind == "full":
        attention = sum(value.numel() for name, value in before.items() if ".attn2." in name)
        text = sum(v.numel() for n, v in before.items() if n.startswith("text_encoder.") and "token_emb" not in n)
        assert counted == {
            "text_encoder": text, "cross_attention": attention,
            "projection": sum(p.numel() for p in module.model.projection.parameters()),
        }  # fmt: skip


def test_gradient_checkpointing_keeps_less_and_changes_no_weight(places, tmp_path):
    weights, kept = [], []
    for way in (False, True):
        module = train(load_generator(places["random"]), tmp_path / str(way), checkpointing=way)
        weights.append(module.model.state_dict())
        batch = {name: torch.from_numpy(values) for name, values in conditions(8).__getitems__(list(range(8))).items()}
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t):
            module.losses(module.model, batch, *module.draw(batch["latent"].shape, 0))
        kept.append(sum(sizes))
    assert kept[1] < 0.5 * kept[0]
    for name, value in weights[0].items():
        assert torch.allclose(value, weights[1][name], atol=1e-6), name


def test_a_training_that_was_interrupted_ends_with_the_same_weights(places, tmp_path):
    whole = train(load_generator(places["random"]), tmp_path / "whole", max_epochs=3)
    data = conditions(32)
    failing = Failing(data.features, data.image, data.latents)
    with pytest.raises(RuntimeError, match="went away"):
        train(load_generator(places["random"]), tmp_path / "broken", data=failing, max_epochs=3)
    assert (tmp_path / "broken/last.safetensors").exists()
    resumed = train(load_generator(places["random"]), tmp_path / "broken", max_epochs=3)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_it_learns_which_picture_an_epoch_is_of_and_is_saved_alone(places, tmp_path, kind):
    generator = load_generator(places["pretrained"])
    rate = {"full": 3e-3, "lora": 1e-2}[kind]
    module = train(generator, tmp_path / "work", kind, data=conditions(64), max_epochs=12, learning_rate=rate)
    losses = compare_conditions(module, conditions(16), 4, torch.device("cpu"))
    mean = {name: values.mean() for name, values in losses.items()}
    assert mean["own"] < 0.97 * mean["shuffled"], mean
    assert mean["own"] < mean["null"], mean
    model = module.ema_model
    model.save(tmp_path / "saved", generator.unet, Adaptation(kind, 4, "generator", "classifier"))
    stored = sum(path.stat().st_size for path in (tmp_path / "saved").rglob("*.safetensors"))
    parameters = sum(module.model.trained().values())
    assert stored < 4 * (parameters + 2 * 77 * 768 + 2 * 32) + 20_000, "trained parts, scale of features, headers"
    again = load_generator(places["pretrained"])
    loaded = load_condiffusion(tmp_path / "saved", again)
    assert not any(p.requires_grad for p in loaded.parameters())
    assert not loaded.training
    features, noisy = torch.from_numpy(conditions(2).features).float(), torch.randn(2, 4, 4, 4)
    steps, dropped = torch.tensor([10, 900]), torch.tensor([False, True])
    with torch.inference_mode():
        expected = model.predict(generator.unet, noisy, steps, model.condition(features, dropped))
        found = loaded.predict(again.unet, noisy, steps, loaded.condition(features, dropped))
    assert torch.equal(found, expected)


class Through(nn.Module):
    """Gives embeddings on as they are."""

    def forward(self, features, dropped=None):
        return features


def test_embeddings_go_through_the_text_encoder_as_tokens_do():
    text = tiny_generator.text_encoder(vocabulary=20).eval()
    ids = torch.randint(20, (2, 77))
    model = ConDiffusion(text, tiny_generator.unet(), Through(), "full")
    with torch.inference_mode():
        found = model.condition(text.embeddings.token_embedding(ids))
        assert torch.allclose(found, text(ids).last_hidden_state, atol=1e-6)
        other = text.embeddings.token_embedding(ids)
        other[:, 40:] += 1
        assert torch.equal(found[:, :40], model.condition(other)[:, :40]), "the mask is causal"
        assert not torch.allclose(found[:, 40:], model.condition(other)[:, 40:])


def test_without_eeg_it_begins_at_the_empty_prompt(places):
    generator = load_generator(places["random"])
    words = tiny_generator.CLIPTokenizer.from_pretrained(generator.source.pipeline, subfolder="tokenizer")
    ids = words("", padding="max_length", max_length=77, return_tensors="pt").input_ids
    with torch.inference_mode():
        expected = generator.text_encoder(ids).last_hidden_state
        model = make_condiffusion(generator, classifier(), "full", 4)
        found = model.condition(torch.randn(1, 77, 768), torch.tensor([True]))
        assert torch.allclose(found, expected, atol=1e-6)
        # Features enter at the spread of token embeddings.
        entering = model.projection(torch.randn(4, 77, 768))
        assert entering.std() == pytest.approx(generator.text_encoder.config.initializer_factor * 0.02, rel=0.1)


PROMPTS = ["a photo of a cat", "a photo of a dog", "a photo of a fish"]


def sure_of(net: EEGConvNet, class_number: int) -> torch.Tensor:
    """Return features (1, 77, 768) of which the classifier is sure."""
    weight = net.classifier.weight[class_number]
    return (1e4 * weight).unflatten(0, (77, 768))[None]


def test_an_epoch_of_a_sure_class_begins_as_the_prompt_of_the_class(places):
    generator, net = load_generator(places["random"]), classifier()
    ids = generator.tokenizer(PROMPTS, padding="max_length", return_tensors="pt").input_ids
    with torch.inference_mode():
        expected = generator.text_encoder(ids).last_hidden_state
        empty = generator.text_encoder(generator.tokenizer("", padding="max_length", return_tensors="pt").input_ids)
        model = make_condiffusion(generator, net, "full", 4, PROMPTS)
        for number in range(3):
            features = sure_of(net, number)
            assert net.classifier(features.flatten(1)).argmax() == number
            assert torch.allclose(model.condition(features)[0], expected[number], atol=1e-5)
        without = model.condition(features, torch.tensor([True]))
        assert torch.allclose(without, empty.last_hidden_state, atol=1e-5)
        # Of an epoch that may show any of them, a mean of their embeddings is given.
        unsure = model.projection(torch.zeros(1, 77, 768))[0]
        weights = net.classifier.bias.softmax(0)
        assert torch.allclose(unsure, torch.einsum("k,klw->lw", weights, model.projection.prompts), atol=1e-6)


def test_prompts_outlast_a_shorter_encoder_of_eeg_and_the_disk(places, tmp_path):
    """EEGConvNet's few tokens are followed by the rest of the prompt, as the UNet has learned with."""
    generator = load_generator(places["random"])
    torch.manual_seed(2)
    net = EEGConvNet(CHANS, TIMES, 3, tokens=8, width=16).eval().requires_grad_(False)
    model = make_condiffusion(generator, net, "full", 4, PROMPTS)
    with torch.no_grad():
        model.projection.norm.weight.fill_(0.02)
    features = torch.randn(2, 8, 16)
    assert model.condition(features).shape == (2, 77, tiny_generator.WIDTH)
    model.save(tmp_path, generator.unet, Adaptation("full", 4, str(places["random"]), "none"))
    loaded = load_condiffusion(tmp_path, load_generator(places["random"]))
    with torch.inference_mode():
        assert torch.equal(loaded.condition(features), model.condition(features))
    assert "classifier.weight" in load_file(tmp_path / "projection/diffusion_pytorch_model.safetensors")


def test_classes_are_named_by_their_words():
    concepts = ["00012_aircraft_carrier", "n02106662"]
    words = {"n02106662": "German shepherd"}
    assert class_prompts(concepts, "a {} here", words) == ["a aircraft carrier here", "a German shepherd here"]
    with pytest.raises(InputError, match="words: n0: must be a class of the corpus: 00012_aircraft_carrier, n02106662"):
        class_prompts(concepts, "{}", {"n0": "dog"})


def test_what_the_tokenizer_cannot_read_is_said(places):
    generator = load_generator(places["random"])
    with pytest.raises(InputError, match=r"prompt: 'dog (dog )+.*': must have at most 77 tokens.*found \d{3}"):
        prompt_embeddings([("dog " * 40).strip()], generator.tokenizer, generator.text_encoder)
    words = make_tokenizer(["a", "dog"], 8)
    assert unknown_prompts(["a dog", "a cat"], words) == ["a cat"]


def test_a_part_whose_rate_is_zero_stays_as_it_begins(places, tmp_path):
    generator = load_generator(places["random"])
    before = weights(generator)
    factors = {"text_encoder": 0.0, "cross_attention": 1.0, "projection": 2.0}
    module = train(generator, tmp_path, rate_factors=factors)
    after = {f"text_encoder.{name}": value for name, value in module.model.text_encoder.state_dict().items()}
    assert all(torch.equal(value, before[name]) for name, value in after.items() if "token_emb" not in name)
    rates = {group["lr"] / module.optimisation.learning_rate for group in module.optimizers().param_groups}
    assert rates == {0.0, 1.0, 2.0}
    assert any(not torch.equal(v, before[f"unet.{n}"]) for n, v in generator.unet.state_dict().items())


@pytest.fixture(scope="module")
def pictures(places, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    generator = load_generator(places["random"])
    net = classifier()
    torch.manual_seed(0)
    model = make_condiffusion(generator, net, "full", 4)
    with torch.no_grad():  # a random network hardly hears its condition
        for layer in model.cross_attention:
            layer.to_out[0].weight *= 30
    net.save_pretrained(folder / "encoder")
    EpochInput(100.0, TIMES, None, [0.0] * CHANS, [2.0] * CHANS).save(folder)
    model.save(folder / "model", generator.unet, Adaptation("full", 4, str(places["random"]), str(folder)))
    return load_pipeline(folder / "model", places["random"], folder / "encoder", folder)


def test_pictures_depend_on_epoch_seed_and_guidance_alone(pictures):
    epochs = 2 * np.random.default_rng(0).standard_normal((3, CHANS, TIMES), dtype=np.float32)
    seeds = seeds_for(3, 2, 0)
    found = generate_images(pictures, epochs, seeds, QUICK, batch_size=4)
    assert found.shape == (6, tiny_generator.SIDE, tiny_generator.SIDE, 3)
    assert found.dtype == np.uint8
    again = generate_images(pictures, epochs, seeds, QUICK, batch_size=1)
    assert np.abs(found.astype(int) - again).max() <= 1
    assert (np.abs(found[0].astype(int) - found[1]) > 3).mean() > 0.1, "another seed"
    alone = generate_images(pictures, epochs[1:2], seeds[2:4], QUICK)
    assert np.abs(found[2:4].astype(int) - alone).max() <= 1, "samples of an epoch follow each other"
    other = generate_images(pictures, epochs[[1, 2, 0]], seeds, QUICK)
    assert (other != found).mean() > 0.05, "another epoch under the same seed"
    zeroed = generate_images(pictures, np.zeros_like(epochs), seeds, QUICK)
    assert (zeroed != found).mean() > 0.05
    weaker = generate_images(pictures, epochs, seeds, Sampling(sampler="unipc", steps=3, guidance=1.0))
    assert (weaker != found).mean() > 0.02
    nothing = [generate_images(pictures, e, seeds[:1], Sampling(sampler="ddim", steps=2, guidance=0.0)) for e in
               (epochs[:1], epochs[1:2])]  # fmt: skip
    assert np.array_equal(*nothing), "guidance 0 does not hear the EEG"
    with pytest.raises(InputError, match="as many for each of the 3 epochs"):
        generate_images(pictures, epochs, seeds[:4], QUICK)


@pytest.mark.parametrize("sampler", ["unipc", "ddim", "euler_ancestral", "ddpm"])
def test_every_sampler_is_seeded(pictures, sampler):
    epochs = np.random.default_rng(0).standard_normal((2, CHANS, TIMES), dtype=np.float32)
    sampling = Sampling(sampler=sampler, steps=4, guidance=1.5)
    first, second = (generate_images(pictures, epochs, [1, 2], sampling) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.std() > 1
    assert np.abs(first[1:].astype(int) - generate_images(pictures, epochs[1:], [2], sampling)).max() <= 1


def _with(generator, **parts):
    for name, part in parts.items():
        setattr(generator, name, part)
    return generator


@pytest.mark.parametrize(
    ("parts", "rule"),
    [
        ({"unet": tiny_generator.unet(48)}, "cross_attention_dim .* must be the text encoder's hidden_size, 32"),
        ({"text_encoder": tiny_generator.text_encoder(tokens=40)}, "must reach EEGConvNet's 77 tokens .found 40"),
    ],
)
def test_a_generator_that_does_not_fit_is_refused(places, parts, rule):
    with pytest.raises(InputError, match=rule):
        check_generator(_with(load_generator(places["random"]), **parts), classifier())


def test_sdxl_and_missing_parts_are_refused_by_name(places, tmp_path):
    folder = shutil.copytree(places["random"].with_name("sd15"), tmp_path / "sdxl")
    two = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 80,
    }
    shutil.copytree(folder / "text_encoder", folder / "text_encoder_2")
    shutil.copytree(folder / "tokenizer", folder / "tokenizer_2")
    tiny_generator.unet(**two).save_pretrained(folder / "unet")

    def opened(pipeline):
        return open_generator(Source(str(pipeline), None, tiny_generator.SIDE))

    generator = opened(folder)
    with pytest.raises(InputError, match=r"sdxl: must have one text encoder.*SDXL has two"):
        make_condiffusion(generator, classifier(), "full", 4)
    for part in ("vae", "unet", "text_encoder", "scheduler"):
        broken = shutil.copytree(places["random"].with_name("sd15"), tmp_path / f"no-{part}")
        shutil.rmtree(broken / part)
        with pytest.raises(InputError, match=f"no-{part}/{part}: must be a part of a diffusers pipeline"):
            opened(broken)
    with pytest.raises(InputError, match="nowhere: must be the folder of a diffusers pipeline"):
        opened(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"generator\.json: no such file; prepare_generator writes it"):
        load_generator(tmp_path)
    with pytest.raises(InputError, match=r"condiffusion\.json: no such file"):
        load_condiffusion(tmp_path, load_generator(places["random"]))
    with pytest.raises(InputError, match=r"must be an EEGConvNet.*EEGNet"):
        check_generator(load_generator(places["random"]), EEGNet(CHANS, TIMES, 3))


def test_an_epoch_never_takes_the_place_of_one_of_its_own_image():
    image = np.random.default_rng(0).permutation(np.repeat(np.arange(5), [1, 2, 6, 3, 1]))
    for seed in range(5):
        order = mismatched(image, seed)
        assert sorted(order) == list(range(len(image)))
        assert (image[order] != image).all()
    with pytest.raises(InputError, match="found 3 of 5"):
        mismatched(np.array([0, 0, 0, 1, 2]), 0)
