"""The words of captions, and the tokenizer that turns captions into numbers."""

from collections.abc import Iterable

import numpy as np
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

START, END = "<|startoftext|>", "<|endoftext|>"
"""Tokens of CLIP's vocabulary that begin and end a prompt; the last fills it up and stands for unknown words."""


def make_tokenizer(words: Iterable[str], length: int) -> PreTrainedTokenizerFast:
    """Make a tokenizer that has a token for each word.

    As in CLIP's vocabulary, the tokens for start and end are the last.

    Args:
        words: words that captions hold, in lower case.
        length: number of tokens of a prompt.
    """
    vocabulary = {word: number for number, word in enumerate([*words, START, END])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=END))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(token, vocabulary[token]) for token in (START, END)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=length, bos_token=START, eos_token=END, pad_token=END,
        unk_token=END,
    )  # fmt: skip


def token_ids(tokenizer: PreTrainedTokenizerFast, captions: list[str]) -> np.ndarray:
    """Return the tokens of captions, each filled up or cut to a prompt's length: (captions, length) int64."""
    return tokenizer(captions, padding="max_length", truncation=True, return_tensors="np").input_ids
