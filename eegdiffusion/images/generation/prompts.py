"""Prompts of a text-to-image model: those of concepts, and what its text encoder is given for them."""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import CLIPTextModel, PreTrainedTokenizerBase

from eegdiffusion.core.runtime.errors import InputError

NUMBER = re.compile(r"^\d+_")
"""What THINGS puts before the name of a concept."""


def class_prompts(concepts: Sequence[str], prompt: str, words: Mapping[str, str]) -> list[str]:
    """Write the prompt of each class.

    Args:
        concepts: names of the classes in the corpus, such as ``00012_aircraft_carrier``.
        prompt: prompt, with ``{}`` where the class is named.
        words: words for classes whose names are none, such as WordNet's numbers in EEGCVPR40; others are named by
            their own names without number and underscores.

    Returns:
        the prompts, such as ``a photo of a aircraft carrier``.

    Raises:
        InputError: ``words`` names a class that the corpus does not have.
    """
    unknown = sorted(set(words) - set(concepts))
    if unknown:
        raise InputError(f"words: {unknown[0]}: must be a class of the corpus: {', '.join(concepts)}")
    names = (words.get(concept, NUMBER.sub("", concept).replace("_", " ")) for concept in concepts)
    return [prompt.format(name) for name in names]


def unknown_prompts(prompts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Return prompts of which a word is none for the tokenizer, which then cannot tell what is meant."""
    ids = tokenizer(list(prompts), add_special_tokens=False).input_ids
    return [prompt for prompt, own in zip(prompts, ids, strict=True) if tokenizer.unk_token_id in own]


@torch.no_grad()
def prompt_embeddings(
    prompts: Sequence[str], tokenizer: PreTrainedTokenizerBase, text_encoder: CLIPTextModel
) -> Tensor:
    """Look up the token embeddings of prompts, before positions are added.

    Args:
        prompts: prompts.
        tokenizer: tokenizer of the text encoder.
        text_encoder: text encoder with its vocabulary.

    Returns:
        (prompts, positions, width), each filled up as the tokenizer does.

    Raises:
        InputError: a prompt is longer than the text encoder's positions.
    """
    length = text_encoder.config.max_position_embeddings
    ids = tokenizer(list(prompts), padding="max_length", max_length=length).input_ids
    for prompt, own in zip(prompts, ids, strict=True):
        if len(own) > length:
            raise InputError(
                f"prompt: {prompt!r}: must have at most {length} tokens, those for start and end included "
                f"(found {len(own)})"
            )
    return text_encoder.embeddings.token_embedding(torch.tensor(ids)).detach()
