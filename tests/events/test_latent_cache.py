import copy

import numpy as np
import pandas
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.store import latent_cache
from eegdiffusion.events.store.latent_cache import LatentCache, decode, encode

SHAPE = (3, 5, 4, 8)
RECIPE = {"backbone": "abc", "step": 1, "codec": "uint8"}


@pytest.fixture
def tokens():
    return np.random.default_rng(0).gamma(2, 0.05, (20, *SHAPE)).clip(0, 1).astype(np.float32)


@pytest.fixture
def cache(tmp_path, tokens, monkeypatch):
    monkeypatch.setattr(latent_cache, "SHARD", 8)
    for number, windows in latent_cache.shards(20):
        latent_cache.write_shard(tmp_path / latent_cache.shard_name("test", number), encode(tokens[windows], "uint8"))
    window = np.repeat(np.arange(20), 2)  # each window has two rows, with labels of their own
    rows = pandas.DataFrame({"split": "test", "window": window, "label": np.arange(40) % 6})
    other = rows.assign(split="train", window=0)
    latent_cache.write_index(tmp_path, RECIPE, pandas.concat([other, rows]))
    return tmp_path


def test_uint8_keeps_three_digits_where_it_matters(tokens):
    found = decode(encode(tokens, "uint8"))
    large = tokens > 0.01
    assert (np.abs(found - tokens)[large] / tokens[large]).max() < 0.016
    assert np.abs(found - tokens)[~large].max() < 2e-4


def test_float32_is_exact_and_float16_close(tokens):
    assert np.array_equal(decode(encode(tokens, "float32")), tokens)
    assert np.allclose(decode(encode(tokens, "float16")), tokens, rtol=1e-3)


def test_uint8_refuses_what_it_cannot_hold(tokens):
    with pytest.raises(InputError, match=r"uint8.*0 to 1"):
        encode(tokens - 0.5, "uint8")


def test_windows_are_read_in_any_order_across_shards(cache, tokens):
    found = LatentCache(cache, "test", RECIPE)
    order = [39, 0, 16, 17, 3]
    batch = found.__getitems__(order)
    assert len(found) == 40
    assert found.shape == SHAPE
    assert np.array_equal(batch["tokens"], decode(encode(tokens[[19, 0, 8, 8, 1]], "uint8")))
    assert batch["label"].tolist() == [i % 6 for i in order]
    other = copy.deepcopy(found)  # without the open maps, as a loader's worker gets it
    assert "_maps" not in other.__dict__
    assert np.array_equal(other.__getitems__(order)["tokens"], batch["tokens"])


def test_relabelled_keeps_tokens_and_the_original(cache):
    found = LatentCache(cache, "test", RECIPE)
    other = found.relabelled(np.full(40, 5))
    assert set(other.__getitems__([1, 2])["label"]) == {5}
    assert found.labels.tolist() == [i % 6 for i in range(40)]


@pytest.mark.parametrize("change", [{"step": 2}, {"backbone": "def"}, {"kind": "gate"}])
def test_another_recipe_is_refused_by_field(cache, change):
    with pytest.raises(InputError) as error:
        LatentCache(cache, "test", RECIPE | change)
    assert next(iter(change)) in str(error.value)
    assert "cache.json" in str(error.value)


def test_a_quarter_of_float32(cache, tokens):
    stored = sum(path.stat().st_size for path in cache.glob("test-*.arrow"))
    assert stored < tokens.nbytes / 4 + 3 * 1500  # an Arrow file's head and foot
