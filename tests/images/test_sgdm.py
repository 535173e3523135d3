"""The ControlNet at tiny size: what it changes, what it trains, and the ways a generator can be conditioned."""

import shutil

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, DDPMScheduler, StableDiffusionXLPipeline
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.ema_module import parameter_groups
from eegdiffusion.core.training.settings import EMASettings, Optimisation
from eegdiffusion.images.generation.denoising_settings import Denoising
from eegdiffusion.images.generation.generator import Source, open_generator, weights_digest
from eegdiffusion.images.generation.image_sampling import (
    SAMPLERS,
    SamplingRequest,
    sample_latents,
    seeded_noise,
    seeds_for,
)
from eegdiffusion.images.generation.latent_diffusion import target_of, weights_of
from eegdiffusion.images.generation.pixels import to_images, to_pixels
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens
from eegdiffusion.images.sgdm.controlnet_training import ControlNetTraining, Guide
from eegdiffusion.images.sgdm.published_controlnet import load_published_controlnet
from eegdiffusion.images.sgdm.sgdm import guided_prediction, make_controlnet, require_features
from tests import tiny_generator

OPTIMISATION = Optimisation(
    batch_size=4, max_epochs=1, patience=1, learning_rate=1e-3, betas=(0.9, 0.99), weight_decay=0.0, clip_norm=1.0,
    ema=EMASettings(beta=0.9, update_after_step=0, update_every=1),
)  # fmt: skip
WIDTH = 12
"""Of the tiny generator's image features."""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return tiny_generator.write_stable_diffusion(tmp_path_factory.mktemp("generator") / "pipeline")


@pytest.fixture
def generator(pipeline):
    return open_generator(Source(str(pipeline), None, tiny_generator.SIDE))


def tokens_for(generator):
    """Make semantic tokens for a generator without an IP-Adapter."""
    torch.manual_seed(3)
    return SemanticTokens(WIDTH, 4, generator.unet.config.cross_attention_dim)


def batch(generator, items=4, channels=1):
    torch.manual_seed(1)
    side = generator.source.image_size
    found = {
        "latent": torch.randn(items, *generator.latent_shape),
        "features": torch.randn(items, WIDTH),
        "structure": torch.rand(items, channels, side, side),
    }
    return found | {"eeg_features": found["features"] + 1, "eeg_structure": 1 - found["structure"]}


def trained(generator, teacher_forcing_fraction=0.5, **denoising):
    tokens = None if generator.source.ip_adapter else tokens_for(generator)
    guide = Guide(make_controlnet(generator, 1), tokens, None)
    settings = Denoising(**{"condition_dropout": 0.1, "min_snr_gamma": None} | denoising)
    return ControlNetTraining(guide, generator, teacher_forcing_fraction, 5.0, settings, OPTIMISATION, 0)


def step(module, items):
    """One optimiser step on a batch."""
    optimiser = torch.optim.Adam(module.model.parameters(), lr=1e-2)
    drawn = module.draw(items["latent"].shape, 0)
    module.losses(module.model, items, *drawn).mean().backward()
    optimiser.step()


def test_a_new_controlnet_changes_nothing_and_a_trained_one_does(generator):
    items, module = batch(generator), trained(generator)
    steps, condition = (
        torch.tensor([10, 200, 500, 900]),
        generator.condition(items["features"], tokens=tokens_for(generator)),
    )
    arguments = items["latent"], steps, condition, items["structure"]
    plain = guided_prediction(generator, None, *arguments)
    assert torch.equal(guided_prediction(generator, module.model.controlnet, *arguments), plain)
    step(module, items)
    assert not torch.allclose(guided_prediction(generator, module.model.controlnet, *arguments), plain, atol=1e-5)
    assert torch.equal(guided_prediction(generator, module.model.controlnet, *arguments, scale=0.0), plain)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_changes_the_controlnet_and_nothing_else(generator, checkpointing):
    before = [weights_digest(network) for network in generator.modules()]
    module = trained(generator, gradient_checkpointing=checkpointing)
    own = weights_digest(module.model.controlnet)
    step(module, batch(generator))
    assert weights_digest(module.model.controlnet) != own
    assert [weights_digest(network) for network in generator.modules()] == before
    assert all(p.grad is None for network in generator.modules() for p in network.parameters())


def test_the_share_of_truth_decides_what_training_sees(generator):
    items = batch(generator)
    drawn = trained(generator).draw(items["latent"].shape, 0)

    def loss(share, **changed):
        torch.manual_seed(0)
        module = trained(generator, share)
        torch.nn.init.normal_(module.model.controlnet.controlnet_mid_block.weight)
        torch.nn.init.normal_(module.model.controlnet.controlnet_cond_embedding.conv_out.weight)
        forced = module.draw_teacher_forced(0, 0)[: len(items["latent"])]
        return module.losses(module.model, items | {"teacher_forced": forced} | changed, *drawn).mean().item()

    other = torch.zeros_like(items["structure"])
    for share, name in ((1.0, "structure"), (0.0, "eeg_structure")):
        kept = "eeg_structure" if name == "structure" else "structure"
        assert loss(share, **{kept: other}) == pytest.approx(loss(share), rel=1e-6)
        assert abs(loss(share, **{name: other}) - loss(share)) > 1e-6


def test_prediction_target_and_weights_are_those_of_the_scheduler():
    latents, eps, steps = torch.randn(2, 4, 4, 4), torch.randn(2, 4, 4, 4), torch.tensor([5, 800])
    for kind in ("epsilon", "v_prediction", "sample"):
        scheduler = DDPMScheduler(prediction_type=kind)
        alpha = scheduler.alphas_cumprod[steps]
        root, rest = alpha.sqrt()[:, None, None, None], (1 - alpha).sqrt()[:, None, None, None]
        wanted = {"epsilon": eps, "v_prediction": root * eps - rest * latents, "sample": latents}[kind]
        assert torch.allclose(target_of(scheduler, latents, eps, steps), wanted, atol=1e-6)
        snr = alpha / (1 - alpha)
        below = {"epsilon": snr, "v_prediction": snr + 1, "sample": torch.ones(2)}[kind]
        assert torch.allclose(weights_of(scheduler, steps, 5.0), snr.clamp(max=5) / below, rtol=1e-4)
        assert torch.equal(weights_of(scheduler, steps, None), torch.ones(2))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_picture_depends_on_its_own_seed_alone(generator, sampler):
    tokens = tokens_for(generator)

    def run(seeds, size, guidance=1.0):
        features = torch.arange(len(seeds))[:, None].float().expand(-1, WIDTH) * 0 + 1

        def denoise(noisy, steps, items, without):
            dropped = torch.full((len(noisy),), without)
            return generator.unet(noisy, steps, **generator.condition(features[items], dropped, tokens)).sample

        request = SamplingRequest(generator.latent_shape, seeds, sampler, 4, guidance, batch_size=size)
        return sample_latents(denoise, generator.scheduler, request, torch.device("cpu"))

    whole = run([1, 2, 3], 3)
    assert torch.allclose(whole, run([1, 2, 3], 2), atol=1e-4)
    assert torch.allclose(whole[[2, 0]], run([3, 1], 1), atol=1e-4)
    assert not torch.allclose(whole[0], whole[1], atol=1e-2)
    assert not torch.allclose(whole, run([1, 2, 3], 3, guidance=5.0), atol=1e-4)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sampling_begins_from_a_picture(generator, sampler):
    start, seen = torch.randn(2, *generator.latent_shape), []

    def denoise(noisy, steps, items, without):
        # The velocity of a network that knows where sampling began.
        alpha = generator.scheduler.alphas_cumprod[steps.long().cpu()][:, None, None, None]
        seen.append(int(steps[0]))
        if generator.scheduler.config.prediction_type == "epsilon":
            return (noisy - alpha.sqrt() * start[items]) / (1 - alpha).sqrt()
        return (alpha.sqrt() * noisy - start[items]) / (1 - alpha).sqrt()

    def run(**options):
        seen.clear()
        request = SamplingRequest(generator.latent_shape, [1, 2], sampler, 10, **options)
        return sample_latents(denoise, generator.scheduler, request, torch.device("cpu")), list(seen)

    whole, steps = run()
    again, _ = run(start=start.__getitem__, strength=1.0)
    assert torch.equal(whole, again)
    assert len(steps) == 10
    found, late = run(start=start.__getitem__, strength=0.4)
    assert late == steps[6:], "the first steps are left out"
    assert (found - start).abs().mean() < 0.25 * start.abs().mean()


def test_layers_that_the_unet_does_not_have_learn_faster(generator):
    module = trained(generator)
    groups = parameter_groups(module.model, 1e-3, 0.1, module.rate_factor)
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    fast = {name for name, p in module.model.named_parameters() if rates[id(p)] == pytest.approx(5e-3)}
    assert len(rates) == len(list(module.model.parameters()))
    assert 0 < len(fast) < len(rates)
    assert all(".controlnet_" in name for name in fast)
    slow = {name for name, _ in module.model.named_parameters()} - fast
    assert slow
    assert not any(".controlnet_" in name for name in slow)


def test_seeds_do_not_depend_on_how_many_there_are():
    assert seeds_for(3, 2, 7)[:2] == seeds_for(1, 2, 7)
    assert [seeds_for(2, 3, 7)[k] for k in (0, 1, 3, 4)] == seeds_for(2, 2, 7)
    assert len(set(seeds_for(50, 4, 0))) == 200
    assert seeds_for(2, 1, 0) != seeds_for(2, 1, 1)
    assert seeded_noise((2, 2), [5, 6]).shape == (2, 2, 2)


def test_an_unknown_sampler_is_refused():
    with pytest.raises(InputError, match="sampler: must be one of unipc"):
        SamplingRequest((1,), [0], sampler="dpm")


def test_pictures_survive_the_way_to_pixels_and_back():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    pixels = to_pixels(pictures)
    assert pixels.min() >= -1
    assert pixels.max() <= 1
    assert np.array_equal(to_images(pixels), pictures)


def adapter(path, unet, width):
    """Write random weights in the names of an IP-Adapter."""
    state = {"image_proj.proj.weight": torch.randn(4 * tiny_generator.WIDTH, width)}
    state["image_proj.proj.bias"] = torch.zeros(4 * tiny_generator.WIDTH)
    state["image_proj.norm.weight"] = torch.ones(tiny_generator.WIDTH)
    state["image_proj.norm.bias"] = torch.zeros(tiny_generator.WIDTH)
    number = 1
    for name in unet.attn_processors:
        if "attn2" in name:
            layer = unet.get_submodule(name.removesuffix(".processor"))
            for kind in ("k", "v"):
                weight = torch.randn(layer.to_k.out_features, tiny_generator.WIDTH)
                state[f"ip_adapter.{number}.to_{kind}_ip.weight"] = weight
            number += 2
    save_file(state, path)


def test_an_ip_adapter_carries_the_features(tmp_path):
    tiny_generator.write_stable_diffusion(tmp_path / "pipeline")
    plain = open_generator(Source(str(tmp_path / "pipeline"), None, tiny_generator.SIDE))
    adapter(tmp_path / "ip.safetensors", plain.unet, WIDTH)
    source = Source(str(tmp_path / "pipeline"), str(tmp_path / "ip.safetensors"), tiny_generator.SIDE)
    generator = open_generator(source)
    items, steps = batch(generator), torch.full((4,), 300)
    module = trained(generator)

    def predict(features, dropped=None):
        condition = generator.condition(features, dropped)
        return guided_prediction(
            generator, module.model.controlnet, items["latent"], steps, condition, items["structure"]
        )

    found = predict(items["features"])
    assert not torch.allclose(found, predict(items["features"] + 1), atol=1e-4)
    every = torch.ones(4, dtype=torch.bool)
    assert torch.equal(predict(items["features"], every), predict(items["features"] + 1, every))
    step(module, items)
    require_features(generator, WIDTH)
    require_features(plain, 7)
    with pytest.raises(InputError, match=rf"ip\.safetensors: reads features of width {WIDTH}, .* have {WIDTH + 1};"):
        require_features(generator, WIDTH + 1)
    generator.unet.encoder_hid_proj.image_projection_layers[0] = torch.nn.Identity()
    with pytest.raises(InputError, match="must be an IP-Adapter that reads one vector an image"):
        require_features(generator, WIDTH)
    with pytest.raises(InputError, match="ip_adapter: must be a safetensors file"):
        open_generator(Source(source.pipeline, str(tmp_path / "none"), tiny_generator.SIDE))


def write_sdxl(folder):
    """Write a tiny pipeline of SDXL's classes: two text encoders, pooled text and sizes as added conditions."""
    torch.manual_seed(2)
    words = tiny_generator.tokenizer(folder.with_name("words"))
    width, pooled, times = tiny_generator.WIDTH, 16, 8
    config = tiny_generator.text_encoder(vocabulary=len(words)).config.to_dict() | {"projection_dim": pooled}
    unet = tiny_generator.unet(
        2 * width, addition_embed_type="text_time", addition_time_embed_dim=times,
        projection_class_embeddings_input_dim=pooled + 6 * times,
    )  # fmt: skip
    StableDiffusionXLPipeline(
        vae=tiny_generator.autoencoder(), text_encoder=tiny_generator.text_encoder(vocabulary=len(words)),
        text_encoder_2=CLIPTextModelWithProjection(CLIPTextConfig(**config)), tokenizer=words, tokenizer_2=words,
        unet=unet, scheduler=tiny_generator.scheduler(),
    ).save_pretrained(folder)  # fmt: skip


def test_sdxl_gets_pooled_text_and_sizes(tmp_path):
    write_sdxl(tmp_path / "xl")
    generator = open_generator(Source(str(tmp_path / "xl"), None, tiny_generator.SIDE))
    assert generator.blank["text_embeds"].shape == (1, 16)
    items, module = batch(generator), trained(generator)
    added = generator.condition(items["features"], tokens=tokens_for(generator))["added_cond_kwargs"]
    assert added["text_embeds"].shape == (4, 16)
    assert added["time_ids"].tolist() == [[16, 16, 0, 0, 16, 16]] * 4
    before = weights_digest(module.model.controlnet)
    step(module, items)
    assert weights_digest(module.model.controlnet) != before


def test_a_pipeline_that_lacks_a_part_is_refused_by_its_name(tmp_path):
    tiny_generator.write_stable_diffusion(tmp_path / "pipeline")
    shutil.rmtree(tmp_path / "pipeline/scheduler")
    with pytest.raises(InputError, match="pipeline/scheduler: must be a part of a diffusers pipeline"):
        open_generator(Source(str(tmp_path / "pipeline"), None, tiny_generator.SIDE))


def published(generator, folder, **changed):
    """Write a ControlNet as published ones are: three channels of a picture, taps that are not zero."""
    controlnet = make_controlnet(generator, 3)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in controlnet.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    controlnet.register_to_config(**changed)
    controlnet.save_pretrained(folder)
    return controlnet


def test_a_published_controlnet_reads_a_map_as_it_reads_a_grey_picture(generator, tmp_path):
    expected, items = published(generator, tmp_path), batch(generator)
    controlnet = load_published_controlnet(tmp_path, generator, 1)
    assert controlnet.config.conditioning_channels == 1
    condition = generator.condition(items["features"], tokens=tokens_for(generator))
    arguments = items["latent"], torch.tensor([10, 200, 500, 900]), condition
    grey = guided_prediction(generator, expected, *arguments, items["structure"].expand(-1, 3, -1, -1))
    assert not torch.allclose(guided_prediction(generator, None, *arguments, None), grey, atol=1e-3)
    torch.testing.assert_close(guided_prediction(generator, controlnet, *arguments, items["structure"]), grey)
    controlnet.save_pretrained(tmp_path / "trained")
    again = ControlNetModel.from_pretrained(tmp_path / "trained", local_files_only=True)
    torch.testing.assert_close(guided_prediction(generator, again, *arguments, items["structure"]), grey)
    assert load_published_controlnet(tmp_path, generator, 3).config.conditioning_channels == 3


def test_a_published_controlnet_that_does_not_fit_is_refused_by_field(generator, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        load_published_controlnet(tmp_path / "none", generator, 1)
    published(generator, tmp_path / "three")
    with pytest.raises(InputError, match=r"reads maps of 3 channels, and those of .* have 8"):
        load_published_controlnet(tmp_path / "three", generator, 8)
    deeper = generator.unet.config.layers_per_block + 1
    generator.unet.register_to_config(layers_per_block=deeper)
    with pytest.raises(InputError, match=rf"pretrained_controlnet: .*layers_per_block: must be .*{deeper}"):
        load_published_controlnet(tmp_path / "three", generator, 1)
    generator.unet.register_to_config(layers_per_block=deeper - 1)
    generator.vae.register_to_config(block_out_channels=[*generator.vae.config.block_out_channels, 8])
    with pytest.raises(InputError, match="of its side, and a latent"):
        load_published_controlnet(tmp_path / "three", generator, 1)
