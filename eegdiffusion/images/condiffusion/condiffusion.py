"""EEG-ConDiffusion (Yang and Liu, Brain Sciences 2024, 14(5):478): a generator conditioned by EEG in place of text.

What is trained is a module of its own, :class:`ConDiffusion`; the rest of the generator and EEGConvNet stay frozen.
"""

from collections.abc import Sequence
from pathlib import Path

from diffusers import UNet2DConditionModel
from diffusers.loaders.lora_base import LORA_WEIGHT_NAME_SAFE
from peft import LoraConfig
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextModel
from transformers.masking_utils import create_causal_mask

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.model_hub import load_folder
from eegdiffusion.core.training.weights_file import load_weights
from eegdiffusion.images.condiffusion.adaptation import Adaptation, AdaptationKind, read_adaptation
from eegdiffusion.images.condiffusion.eeg_projection import EEGProjection
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder
from eegdiffusion.images.encoders.eegconvnet import EEGConvNet
from eegdiffusion.images.generation.generator import Generator
from eegdiffusion.images.generation.prompts import prompt_embeddings

CROSS_ATTENTION = "cross_attention.safetensors"

LAYER = "attn2"
"""Name of the UNet's cross-attention layers; ``attn1`` is their self-attention."""

IN_UNET = rf".*\.{LAYER}\.(to_q|to_k|to_v|to_out\.0)"
"""Regular expression of the UNet's layers that low-rank adapters are added to."""

IN_TEXT_ENCODER = ["q_proj", "k_proj", "v_proj", "out_proj"]
"""Layers of the text encoder that low-rank adapters are added to."""


class ConDiffusion(nn.Module):
    """The trained parts: text encoder, cross-attention layers of the UNet, projection head.

    The paper gives the projected features to the text encoder where token embeddings would enter; its own position
    embedding is added to them. The encoder's causal mask is kept, though EEGConvNet's tokens have no order: its
    pretrained weights know no other, the layers are trained, and the UNet reads the outputs of all tokens, the last of
    which has seen every one.

    Args:
        text_encoder: text encoder whose token embeddings are never read, and should be few.
        unet: UNet whose cross-attention layers become this module's; see :meth:`install`.
        projection: projection head.
        kind: whether the layers themselves or adapters of them are trained.
    """

    def __init__(
        self, text_encoder: CLIPTextModel, unet: UNet2DConditionModel, projection: EEGProjection, kind: AdaptationKind
    ):
        super().__init__()
        self.kind = kind
        self.text_encoder, self.projection = text_encoder, projection
        self.layer_names = [name for name, _ in unet.named_modules() if name.rpartition(".")[2] == LAYER]
        self.cross_attention = nn.ModuleList(unet.get_submodule(name) for name in self.layer_names)
        for name, parameter in self.named_parameters():
            inside = kind == "full" or "lora_" in name or name.startswith("projection.")
            fixed = "token_embedding" in name or name.startswith("projection.classifier.")
            parameter.requires_grad_(inside and not fixed)

    def trained(self) -> dict[str, int]:
        """Count the trained parameters of each part."""
        parts = {"text_encoder": self.text_encoder, "cross_attention": self.cross_attention}
        parts["projection"] = self.projection
        return {name: sum(p.numel() for p in m.parameters() if p.requires_grad) for name, m in parts.items()}

    def condition(self, features: Tensor, dropped: Tensor | None = None) -> Tensor:
        """Turn features into what cross-attention reads, (B, tokens, width); arguments are those of the projection."""
        encoder = self.text_encoder
        hidden = encoder.embeddings(inputs_embeds=self.projection(features, dropped))
        mask = create_causal_mask(
            config=encoder.config, inputs_embeds=hidden, attention_mask=None, past_key_values=None
        )
        output = encoder.encoder(inputs_embeds=hidden, attention_mask=mask, is_causal=True)
        return encoder.final_layer_norm(output.last_hidden_state)

    def install(self, unet: UNet2DConditionModel) -> None:
        """Put this module's cross-attention layers into a UNet, in place of those it has.

        The UNet is shared by the trained layers and their averages; whichever predicts is put in first.
        """
        for name, layer in zip(self.layer_names, self.cross_attention, strict=True):
            owner, _, child = name.rpartition(".")
            if getattr(unet.get_submodule(owner), child) is not layer:
                setattr(unet.get_submodule(owner), child, layer)

    def predict(self, unet: UNet2DConditionModel, noisy: Tensor, steps: Tensor, condition: Tensor) -> Tensor:
        """Predict noise or velocity with the UNet, as its scheduler says.

        Args:
            unet: UNet that this module's layers are put into.
            noisy: (B, c, h, w) noisy latents.
            steps: (B,) diffusion steps.
            condition: (B, tokens, width) condition that :meth:`condition` returned.

        Returns:
            (B, c, h, w).
        """
        self.install(unet)
        return unet(noisy, steps, encoder_hidden_states=condition).sample

    def save(self, folder: Path, unet: UNet2DConditionModel, adaptation: Adaptation) -> None:
        """Write the trained parts and nothing else; adapters as diffusers and transformers write them.

        Args:
            folder: folder to write to.
            unet: UNet that the layers belong to.
            adaptation: what ``condiffusion.json`` says.
        """
        self.projection.save_pretrained(folder / "projection")
        self.text_encoder.save_pretrained(folder / "text_encoder")
        if self.kind == "lora":
            self.install(unet)
            unet.save_lora_adapter(folder / "unet")
        else:
            (folder / "unet").mkdir(parents=True, exist_ok=True)
            layers = zip(self.layer_names, self.cross_attention, strict=True)
            values = {f"{owner}.{name}": v for owner, layer in layers for name, v in layer.state_dict().items()}
            save_file({name: v.contiguous() for name, v in values.items()}, folder / "unet" / CROSS_ATTENTION)
        adaptation.write(folder)


def check_generator(generator: Generator, classifier: EEGEncoder) -> None:
    """Check that a generator can be conditioned by an encoder of EEG.

    Raises:
        InputError: the encoder is no EEGConvNet, or its features do not fit the generator's text encoder.
    """
    if not isinstance(classifier, EEGConvNet):
        raise InputError(f"classifier: must be an EEGConvNet, eegconvnet (found {type(classifier).__name__})")
    name, unet, text = generator.source.pipeline or "generator", generator.unet.config, generator.text_encoder.config
    if unet.addition_embed_type is not None:
        raise InputError(
            f"{name}: must have one text encoder, as Stable Diffusion 1.5 and 2.1 have (found "
            f"unet/config.json: addition_embed_type {unet.addition_embed_type!r}: SDXL has two)"
        )
    if unet.cross_attention_dim != text.hidden_size:
        raise InputError(
            f"{name}: cross_attention_dim of unet/config.json must be the text encoder's hidden_size, "
            f"{text.hidden_size} (found {unet.cross_attention_dim})"
        )
    if classifier.config.tokens > text.max_position_embeddings:
        raise InputError(
            f"{name}: max_position_embeddings of text_encoder/config.json must reach EEGConvNet's "
            f"{classifier.config.tokens} tokens (found {text.max_position_embeddings})"
        )


def make_condiffusion(
    generator: Generator, classifier: EEGEncoder, kind: AdaptationKind, rank: int, prompts: Sequence[str] = ()
) -> ConDiffusion:
    """Make the parts that are to be trained from those of a generator.

    Its text encoder and cross-attention layers are taken, not copied; with ``lora`` adapters are added to them.

    Args:
        generator: generator, the rest of which stays frozen.
        classifier: EEGConvNet whose features condition.
        kind: whether the layers themselves or adapters of them are trained.
        rank: rank of the adapters.
        prompts: prompt of each of the classifier's classes, where EEG begins; none leaves the classes to the training.

    Raises:
        InputError: generator and classifier do not fit each other, or a prompt is too long.
    """
    check_generator(generator, classifier)
    text = generator.text_encoder
    projection = EEGProjection(
        classifier.config.width,
        classifier.config.tokens,
        text.config.hidden_size,
        length=text.config.max_position_embeddings,
        classes=len(prompts),
    )
    projection.begin(text.embeddings.token_embedding.weight)
    if prompts:
        embeddings = prompt_embeddings(prompts, generator.tokenizer, text)
        projection.begin_with_prompts(embeddings, classifier.classifier)
    _drop_vocabulary(text)
    if kind == "lora":
        generator.unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=IN_UNET))
        text.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=IN_TEXT_ENCODER))
    return ConDiffusion(text, generator.unet, projection, kind)


def load_condiffusion(folder: Path, generator: Generator) -> ConDiffusion:
    """Load what :meth:`ConDiffusion.save` wrote, frozen, into the generator that it was trained upon.

    Raises:
        InputError: the generator has other layers.
    """
    adaptation = read_adaptation(folder)
    projection = load_folder(EEGProjection, folder / "projection")
    if adaptation.kind == "lora":
        _drop_vocabulary(generator.text_encoder)
        generator.text_encoder.load_adapter(str(folder / "text_encoder"))
        generator.unet.load_lora_adapter(
            str(folder / "unet"), prefix=None, weight_name=LORA_WEIGHT_NAME_SAFE, use_safetensors=True
        )
    else:
        generator.text_encoder = load_folder(CLIPTextModel, folder / "text_encoder")
        known = generator.unet.state_dict()
        layers = folder / "unet" / CROSS_ATTENTION
        for name, value in load_weights(layers, f"{layers}: must be safetensors").items():
            if name not in known or known[name].shape != value.shape:
                raise InputError(f"{folder}/unet/{CROSS_ATTENTION}: {name}: the generator has no such layer")
            known[name].copy_(value)
    model = ConDiffusion(generator.text_encoder, generator.unet, projection, adaptation.kind)
    return model.requires_grad_(False).eval()


def _drop_vocabulary(text_encoder: CLIPTextModel) -> None:
    """Keep of the token embeddings, which EEG takes the place of, those for start and end."""
    kept = text_encoder.embeddings.token_embedding.weight[-2:].detach().clone()
    text_encoder.embeddings.token_embedding = nn.Embedding.from_pretrained(kept)
    text_encoder.config.update({"vocab_size": 2, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1})
