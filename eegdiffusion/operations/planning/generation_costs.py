"""What the stages take that generate images from EEG: generator, structural VAE, EEG-ConDiffusion, ControlNet, arms."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from eegdiffusion.images.condiffusion.condiffusion import ConDiffusion
from eegdiffusion.images.condiffusion.eeg_projection import EEGProjection
from eegdiffusion.images.encoders.encoder_settings import LINEAR
from eegdiffusion.images.epochs.protocols import folds
from eegdiffusion.images.generation.generator import SMALL_BYTES, Generator
from eegdiffusion.images.generation.image_sampling import BATCH
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens
from eegdiffusion.images.reconstruction.reconstruction_settings import Reconstruction
from eegdiffusion.images.sgdm.sgdm import guided_prediction, make_controlnet
from eegdiffusion.images.structure.structural_vae import StructuralVAE
from eegdiffusion.operations.planning.corpus_size import ImageCorpusSize
from eegdiffusion.operations.planning.counted_operations import (
    META,
    Operations,
    count,
    count_step,
    weight_bytes,
)
from eegdiffusion.operations.planning.encoder_costs import (
    READ_S,
    averaged,
    counted_encoder,
    ridge_fit,
    subjects_of,
)
from eegdiffusion.operations.planning.generator_shapes import generator_shapes
from eegdiffusion.operations.planning.image_data_costs import (
    epoch_shape,
    feature_network,
    lite0,
    opened,
    structure_channels,
)
from eegdiffusion.operations.planning.stage_cost import Phase, Planned, StageCost
from eegdiffusion.operations.planning.training_cost import (
    CountedTraining,
    copied,
    inference,
    together,
    tracked,
    training_cost,
)

ENCODED = 16
"""Images that go through the autoencoder at once, and prompts that are previewed are fewer."""

PREVIEWED = 10

PIXEL_S = 4e-9
"""Seconds of the reference machine to compare or resize a pixel of a picture."""


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, device=META)


def _pixels(side: int, images: int = 1) -> int:
    return 3 * side * side * images


@dataclass(frozen=True)
class GeneratorCosts:
    """Operations of a generator's networks.

    Attributes:
        encode, decode: of :data:`ENCODED` images.
        denoise: of a batch of :data:`.image_sampling.BATCH` latents.
        weights: bytes of all weights.
        controlled: of the same batch with a ControlNet; of its own weights.
        control_weights: bytes of the ControlNet.
        latent: numbers of a latent.
        note: what is assumed.
    """

    encode: Operations
    decode: Operations
    denoise: Operations
    weights: int
    controlled: Operations
    control_weights: int
    latent: int
    note: str
    size: int


def _condition(unet: UNet2DConditionModel, batch: int, tokens: int) -> dict[str, Tensor]:
    return {"encoder_hidden_states": _empty(batch, tokens, unet.config.cross_attention_dim)}


def generator_costs(planned: Planned) -> GeneratorCosts:
    """Count the networks of the generator, without gradients."""

    def counted() -> GeneratorCosts:
        shapes = generator_shapes(planned)
        generator, side = shapes.generator, shapes.generator.source.image_size
        unet, vae, latent = generator.unet, generator.vae, generator.latent_shape
        with torch.device(META):
            controlnet = make_controlnet(generator, structure_channels(planned))
        noisy, steps = _empty(BATCH, *latent), torch.zeros(BATCH, dtype=torch.long, device=META)
        condition = _condition(unet, BATCH, generator.text_encoder.config.max_position_embeddings)
        maps = _empty(BATCH, structure_channels(planned), 64, 64)
        with torch.no_grad():
            return GeneratorCosts(
                encode=count(lambda: vae.encode(_empty(ENCODED, 3, side, side)).latent_dist.mean),
                decode=count(lambda: vae.decode(_empty(ENCODED, *latent)).sample),
                denoise=count(lambda: unet(noisy, steps, **condition).sample),
                weights=weight_bytes(*generator.modules()),
                controlled=count(partial(guided_prediction, generator, controlnet, noisy, steps, condition, maps)),
                control_weights=weight_bytes(controlnet),
                latent=torch.Size(latent).numel(),
                note=shapes.note,
                size=shapes.bytes,
            )

    return planned.once(("generator",), counted)


def sampled(
    what: str,
    costs: GeneratorCosts,
    images: int,
    sampling: Sampling,
    denoise: Operations,
    side: int,
    share: float = 1.0,
) -> StageCost:
    """Return what pictures take: the sampler's steps, twice with guidance, and their decoding.

    Args:
        what: what is made.
        costs: the generator.
        images: number of pictures.
        sampling: steps and guidance.
        denoise: operations of a step of a batch.
        side: side of a picture in pixels.
        share: share of the sampler's steps that are taken.
    """
    passes = sampling.steps * share * (2 if sampling.guidance != 1 else 1)
    steps = inference(what, images * passes, BATCH, denoise, costs.weights, 1e-5)
    decoded = inference(f"{what}: decoding", images, ENCODED, costs.decode, costs.weights, PIXEL_S * _pixels(side))
    return together(steps, decoded)


def prepare_generator(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """Every image is encoded once, and a few are made of prompts."""
    settings, size = planned.settings("prepare_generator"), planned.image_corpus(item["corpus"])
    costs, side = generator_costs(planned), settings.image_size
    encoded = inference("image", size.all_images, ENCODED, costs.encode, costs.weights, opened(size))
    previews = [sampled("preview", costs, PREVIEWED, settings.sampling, costs.denoise, side)] * 2
    small = costs.size if costs.size <= SMALL_BYTES else 0
    written = copied(size.all_images * (_pixels(side) + 4 * costs.latent) + small)
    notes = [costs.note] if costs.note else []
    return together(encoded, *previews, written, tracked(), notes=notes, host_bytes=tracked().host_bytes + small)


def _vae(planned: Planned) -> StructuralVAE:
    settings, side = planned.settings("train_structural_vae").vae, planned.settings("embed_images").structure_size
    kind = planned.settings("embed_images").structure
    with torch.device(META):
        return StructuralVAE("colours" if kind == "auto" else kind, side, **asdict(settings.network)).to(META)


def train_structural_vae(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """The VAE learns from all training images; then its latents are predicted from EEG."""
    study, settings = planned.settings(f"sgdm.{item['study']}"), planned.settings("train_structural_vae")
    size, side = planned.image_corpus(study.corpus), planned.settings("embed_images").structure_size
    channels, samples = epoch_shape(planned, study.corpus)
    maps, batch = structure_channels(planned), settings.vae.optimisation.batch_size

    def counted() -> tuple[CountedTraining, Operations]:
        vae = _vae(planned).train()
        pixels, structure = _empty(batch, 3, side, side), _empty(batch, maps, side, side)

        def loss() -> Tensor:
            decoded, logits, posterior = vae(pixels, _empty(batch, *vae.latent_shape))
            return (decoded - pixels).square().mean() + vae.kind.loss(logits, structure).mean() + posterior.kl().mean()

        step = count_step(vae, loss)
        with torch.no_grad():
            validation = count(loss)
        return CountedTraining.of(vae, step, validation), validation

    training, answer = planned.once(("structural vae",), counted)
    latent = torch.Size(_vae(planned).latent_shape).numel()
    image_s = 2.5e-9 * _pixels(side) * 2
    trained = training_cost(
        training, settings.vae.optimisation, size.images["train"], size.images["validation"], image_s
    )
    read = StageCost(phases=[Phase("image", size.all_images, reference_s=opened(size))])
    encoded = inference("latent", size.all_images, batch, answer, training.weights, image_s)
    predictor = _structure_predictor(planned, size, channels * samples, latent)
    tests = size.subjects * size.images["test"]
    scored = StageCost(
        phases=[
            Phase(
                "test", tests, answer.times(1 / batch), 0.004 + channels * samples * READ_S * size.repetitions["test"]
            )
        ]
    )
    linear = 4 * channels * samples * latent if settings.predictor.encoder == LINEAR else 4_000_000
    previews = size.images["test"] * (2 * _pixels(side) + 4 * maps * side**2 * (2 + size.subjects))
    files = copied(training.weights + linear + min(previews, 40 * 5 * _pixels(side)))
    held = 2 * 4 * size.all_images * latent + 4 * tests * (maps * side**2 * 3) + 500 * size.subjects * size.trials()
    work = trained.work_bytes + _pixels(side) * size.all_images
    return together(
        read, trained, encoded, predictor, scored, files, tracked(), work_bytes=work,
        host_bytes=tracked().host_bytes + held + predictor.host_bytes,
    )  # fmt: skip


def _structure_predictor(planned: Planned, size: ImageCorpusSize, numbers: int, latent: int) -> StageCost:
    settings = planned.settings("train_structural_vae").predictor
    epochs, trials = averaged(size, "train", None if settings.encoder == LINEAR else settings.average)
    validated, validated_trials = averaged(size, "validation", None)
    total = size.subjects * epochs
    if settings.encoder == LINEAR:
        operations, held = ridge_fit(total, numbers, latent, len(settings.ridge_alphas), size.subjects * validated)
        read = 4 * total * trials + len(settings.ridge_alphas) * size.subjects * validated * validated_trials
        phases = [
            Phase("ridge regression", 1, operations, on_gpu=False),
            Phase("trial", read, reference_s=numbers * READ_S),
        ]
        return StageCost(phases=phases, host_bytes=held)
    (channels, samples) = (size.channels, numbers // size.channels)
    sizes = {"n_chans": channels, "n_times": samples, "n_outputs": settings.width}
    sizes["n_subjects"] = size.subjects if settings.subject_layers else 0
    batch = settings.optimisation.batch_size
    training, _ = counted_encoder(planned, settings.encoder, sizes | settings.options, batch, False)
    validated *= size.subjects
    return training_cost(training, settings.optimisation, total, validated, numbers * READ_S * trials)


class _Denoised(nn.Module):
    """What the losses of a training of latents hold, for :func:`.counted_operations.count_step`."""

    def __init__(self, *trained: nn.Module | None):
        super().__init__()
        self.trained = nn.ModuleList([network for network in trained if network is not None])


def _checkpointed(gradient_checkpointing: bool, *networks: nn.Module) -> None:
    for network in networks:
        if gradient_checkpointing and hasattr(network, "enable_gradient_checkpointing"):
            network.train()
            network.enable_gradient_checkpointing()


def train_controlnet(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """A ControlNet learns beside the frozen generator, from conditions that were predicted from EEG once."""
    study, settings = planned.settings(f"sgdm.{item['study']}"), planned.settings("train_controlnet")
    size, batch = planned.image_corpus(study.corpus), settings.optimisation.batch_size
    costs, side = generator_costs(planned), planned.settings("prepare_generator").image_size
    width, maps = feature_network(planned).width, structure_channels(planned)
    map_side = planned.settings("embed_images").structure_size
    adapter = planned.settings("prepare_generator").ip_adapter is not None

    def counted() -> tuple[CountedTraining, Operations]:
        generator = generator_shapes(planned).generator
        unet = generator.unet
        with torch.device(META):
            controlnet = make_controlnet(generator, maps).train()
        tokens = None if adapter else SemanticTokens(width, settings.tokens, unet.config.cross_attention_dim).to(META)
        trained = _Denoised(controlnet, tokens)
        trained.requires_grad_(True)
        _checkpointed(settings.denoising.gradient_checkpointing, controlnet, unet)
        noisy, steps = _empty(batch, *generator.latent_shape), torch.zeros(batch, dtype=torch.long, device=META)
        structure, features = _empty(batch, maps, map_side, map_side), _empty(batch, width)

        def loss() -> Tensor:
            condition = _condition(unet, batch, 77)
            if tokens is not None:
                condition = {"encoder_hidden_states": tokens(features, None)}
            return guided_prediction(generator, controlnet, noisy, steps, condition, structure).square().mean()

        step = count_step(trained, loss)
        with torch.no_grad():
            validation = count(loss)
        return CountedTraining.of(trained, step, validation, generator.modules()), validation

    training, answer = planned.once(("controlnet",), counted)
    numbers = torch.Size(epoch_shape(planned, study.corpus)).numel()
    epochs, trials = averaged(size, "train", settings.average)
    validated, _ = averaged(size, "validation", None)
    tested = size.subjects * size.images["test"]
    total, validation = size.subjects * epochs, size.subjects * validated
    read_s = 4e-9 * (costs.latent + 2 * width + 2 * maps * map_side**2)
    trained = training_cost(training, settings.optimisation, total, validation, read_s)
    compared = inference(
        "losses by condition", 2 * settings.draws * (validation + tested), batch, answer, training.weights, read_s
    )
    operations, held = ridge_fit(total, numbers, width, len(settings.ridge_alphas), validation)
    all_epochs = total + validation + tested
    read = (4 + 2) * total * trials + (2 + len(settings.ridge_alphas)) * validation * size.repetitions["validation"]
    read += 2 * tested * size.repetitions["test"]
    conditions = StageCost(
        phases=[
            Phase("ridge regression", 1, operations, on_gpu=False),
            Phase("trial", read, reference_s=numbers * READ_S),
            Phase("condition", all_epochs, reference_s=6e-8 * maps * map_side**2 + 2e-4),
        ],
        host_bytes=held,
    )
    previews = sampled("preview", costs, settings.shown * 4, settings.sampling, costs.controlled, side)
    vae_bytes = weight_bytes(_vae(planned)) + 4 * numbers * 512
    files = copied(training.trained + 2 * 4 * numbers * width + vae_bytes + 4 * settings.shown * _pixels(side))
    work = trained.work_bytes + all_epochs * (4 * width + 2 * maps * map_side**2)
    host = tracked().host_bytes + held + 500 * size.subjects * size.trials() + 4 * size.all_images * width
    notes = [costs.note] if costs.note else []
    return together(
        conditions, trained, compared, previews, files, tracked(), work_bytes=work, host_bytes=host, notes=notes
    )


def _classified(planned: Planned, study: Any) -> tuple[ImageCorpusSize, int, dict[str, int]]:
    """Return the corpus of a study, its training subjects, and epochs of each split that its classifier knows."""
    size, classify = planned.image_corpus(study.corpus), planned.settings("train_eeg_encoder").classify
    experiment = planned.settings(f"eeg_encoders.{study.classifier}")
    share = min(1.0, (classify.classes or size.concepts) / size.concepts)
    average = experiment.average or classify.average
    fold = next(
        (each for each in folds(study.protocol, subjects_of(size, experiment), experiment.subjects)
         if each.name == study.fold), None,
    )  # fmt: skip
    subjects = len(fold.train) if fold else size.subjects
    epochs = {split: round(share * subjects * averaged(size, split, average)[0]) for split in size.images}
    return size, subjects, epochs


def _condiffusion(planned: Planned, study: Any) -> tuple[Generator, ConDiffusion, int, int]:
    """Return the generator, what EEG-ConDiffusion trains of it, and tokens and width of EEGConvNet."""
    settings = planned.settings("train_condiffusion")
    experiment = planned.settings(f"eeg_encoders.{study.classifier}")
    tokens, width = experiment.options.get("tokens", 77), experiment.options.get("width", 768)
    classes = planned.settings("train_eeg_encoder").classify.classes or planned.image_corpus(study.corpus).concepts
    generator = generator_shapes(planned).generator
    text = generator.text_encoder
    with torch.device(META):
        projection = EEGProjection(
            width, tokens, text.config.hidden_size, text.config.max_position_embeddings,
            classes if settings.prompt is not None else 0,
        )  # fmt: skip
        text.embeddings.token_embedding = nn.Embedding(2, text.config.hidden_size)
    if settings.adaptation == "lora":
        from peft import LoraConfig

        from eegdiffusion.images.condiffusion.condiffusion import IN_TEXT_ENCODER, IN_UNET

        rank = {"r": settings.rank, "lora_alpha": settings.rank}
        generator.unet.add_adapter(LoraConfig(**rank, target_modules=IN_UNET))
        text.add_adapter(LoraConfig(**rank, target_modules=IN_TEXT_ENCODER))
    return generator, ConDiffusion(text, generator.unet, projection, settings.adaptation).to(META), tokens, width


def train_condiffusion(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """Text encoder, cross-attention and projection learn from features of EEG that were computed once."""
    study, settings = planned.settings(f"condiffusion.{item['study']}"), planned.settings("train_condiffusion")
    size, _, epochs = _classified(planned, study)
    costs, side = generator_costs(planned), planned.settings("prepare_generator").image_size
    batch = settings.optimisation.batch_size

    def counted() -> tuple[CountedTraining, Operations, int, int]:
        generator, model, tokens, width = _condiffusion(planned, study)
        unet = generator.unet
        model.train()
        _checkpointed(settings.denoising.gradient_checkpointing, unet)
        noisy, steps = _empty(batch, *generator.latent_shape), torch.zeros(batch, dtype=torch.long, device=META)
        features, dropped = _empty(batch, tokens, width), torch.zeros(batch, dtype=torch.bool, device=META)

        def loss() -> Tensor:
            return model.predict(unet, noisy, steps, model.condition(features, dropped)).square().mean()

        step = count_step(model, loss)
        with torch.no_grad():
            validation = count(loss)
        return CountedTraining.of(model, step, validation, [unet, generator.vae]), validation, tokens, width

    training, answer, tokens, width = planned.once(("condiffusion", item["study"]), counted)
    read_s = 4e-9 * (costs.latent + 2 * tokens * width)
    trained = training_cost(training, settings.optimisation, epochs["train"], epochs["validation"], read_s)
    compared = inference(
        "losses by condition", 3 * settings.draws * (epochs["validation"] + epochs["test"]), batch, answer,
        training.weights, read_s,
    )  # fmt: skip
    sizes = dict(zip(("n_chans", "n_times"), epoch_shape(planned, study.corpus), strict=True))
    classes = planned.settings("train_eeg_encoder").classify.classes or size.concepts
    encoder_sizes = {**sizes, "n_outputs": classes, "tokens": tokens, "width": width}
    classifier = counted_encoder(planned, "eegconvnet", encoder_sizes, 64, False)
    numbers, average = sizes["n_chans"] * sizes["n_times"], planned.settings("train_eeg_encoder").classify.average
    every = sum(epochs.values())
    features = inference("features", every, 64, classifier[1], classifier[0].weights, average * numbers * READ_S * 3)
    previews = sampled("preview", costs, settings.shown * 3, settings.sampling, costs.denoise, side)
    files = copied(training.trained + 4 * settings.shown * _pixels(side))
    work = trained.work_bytes + 2 * every * tokens * width
    host = tracked().host_bytes + 500 * size.subjects * size.trials() + classifier[0].weights
    notes = [costs.note] if costs.note else []
    return together(
        features, trained, compared, previews, files, tracked(), work_bytes=work, host_bytes=host, notes=notes
    )


def _scored(planned: Planned, settings: Reconstruction, images: int, seen: int, side: int, known: int) -> StageCost:
    """Return what the scores of pictures take: features of each by every network, pixels, and a judge of concepts.

    Args:
        planned: what the plan knows.
        settings: how pictures are scored.
        images: number of pictures of all arms.
        seen: number of pictures that were seen.
        side: side of a picture in pixels.
        known: pictures that a judge of concepts learns from.
    """
    batch = settings.metrics.batch_size
    network = lite0(planned, batch)
    networks = 1 + sum(value is not None for value in asdict(settings.metrics.weights).values())
    every = images + seen + known
    features = inference("scored picture", networks * every, batch, network.operations, network.weights, 0.0035)
    compared = StageCost(phases=[Phase("comparison", images, reference_s=0.002 + 4 * PIXEL_S * _pixels(side))])
    distance = StageCost(phases=[Phase("Fréchet distance", max(1, images // max(seen, 1)), reference_s=6.0)])
    held = StageCost(host_bytes=round(4 * seen * (network.width + 40 * 28 * 28) * 3 + 40 * batch * 224 * 224 * 3))
    return together(features, compared, distance, held)


def reconstruct_sgdm(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """Pictures of all test epochs in seven arms, and their scores."""
    study, settings = planned.settings(f"sgdm.{item['study']}"), planned.settings("reconstruct_sgdm")
    size, side = planned.image_corpus(study.corpus), planned.settings("prepare_generator").image_size
    costs, items = generator_costs(planned), size.subjects * size.images["test"]
    if settings.repetitions is not None:
        items *= -(-size.repetitions["test"] // settings.repetitions)
    pictures = items * settings.samples
    kind = planned.settings("embed_images").structure
    begun = settings.control.strength if kind in ("auto", "colours") else 1.0
    arms = [sampled("controlled picture", costs, 5 * pictures, settings.sampling, costs.controlled, side, begun)]
    arms.append(sampled("picture", costs, 2 * pictures, settings.sampling, costs.denoise, side))
    if begun < 1:
        arms.append(inference("start", 5 * pictures, ENCODED, costs.encode, costs.weights, PIXEL_S * _pixels(side)))
    scored = _scored(planned, settings, 7 * pictures, size.images["test"], side, 0)
    numbers, maps = torch.Size(epoch_shape(planned, study.corpus)).numel(), structure_channels(planned)
    map_side = planned.settings("embed_images").structure_size
    trials = items * min(settings.repetitions or size.repetitions["test"], size.repetitions["test"])
    read = StageCost(phases=[Phase("trial", 3 * trials, reference_s=numbers * READ_S)])
    files = copied((7 * pictures + items) * _pixels(side) + 8 * items * maps * map_side**2)
    held = (
        4 * items * (3 * maps * map_side**2 + 3 * feature_network(planned).width) + 500 * size.subjects * size.trials()
    )
    state = costs.weights + costs.control_weights + 4 * numbers * feature_network(planned).width
    notes = [costs.note] if costs.note else []
    return together(
        *arms, scored, read, files, tracked(), state_bytes=state, notes=notes,
        host_bytes=tracked().host_bytes + held + scored.host_bytes, work_bytes=0,
    )  # fmt: skip


def reconstruct_condiffusion(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """Pictures of the classifier's test epochs in three arms, and their scores."""
    study, settings = planned.settings(f"condiffusion.{item['study']}"), planned.settings("reconstruct_condiffusion")
    size, subjects, _ = _classified(planned, study)
    costs, side = generator_costs(planned), planned.settings("prepare_generator").image_size
    classes = planned.settings("train_eeg_encoder").classify.classes or size.concepts
    items = round(min(1.0, classes / size.concepts) * subjects * size.images["test"])
    pictures = items * settings.samples
    arms = sampled("picture", costs, 3 * pictures, settings.sampling, costs.denoise, side)
    known = round(size.images["train"] * min(1.0, classes / size.concepts))
    scored = _scored(planned, settings, 3 * pictures, round(size.images["test"] * classes / size.concepts), side, known)
    files = copied((3 * pictures + items) * _pixels(side))
    notes = [costs.note] if costs.note else []
    return together(
        arms, scored, files, tracked(), notes=notes, work_bytes=0,
        host_bytes=tracked().host_bytes + 500 * size.subjects * size.trials() + scored.host_bytes,
    )  # fmt: skip
