"""The miniature of Stable Diffusion is drawn, trained, judged and written as a pipeline that diffusers loads."""

import hashlib
import io
import json
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.generation.generator import Source, open_generator
from eegdiffusion.surrogate.text_to_image import icon_sets
from eegdiffusion.surrogate.text_to_image.captioned_scenes import HUES, Scene, draw, draw_scene_of, is_held_out, paint
from eegdiffusion.surrogate.text_to_image.captions import END, START, make_tokenizer, token_ids
from eegdiffusion.surrogate.text_to_image.icon_sets import IconSet, draw_icons, fetch_icons
from eegdiffusion.surrogate.text_to_image.miniature_build import build
from eegdiffusion.surrogate.text_to_image.miniature_settings import Miniature
from eegdiffusion.surrogate.text_to_image.scene_collection import collect_scenes, concepts_in_order
from eegdiffusion.surrogate.things.scenes import emoji_concepts

SHAPES = (
    '<circle cx="8" cy="8" r="7" fill="#e8c020"/>',
    '<path d="M1 1h14v14z" fill="#222"/><circle cx="10" cy="5" r="3"/>',
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with two sets: one lists the first three concepts by code point, the other the first by that name."""
    codes = [f"{ord(character):x}" for character in concepts_in_order(20)[:3]]
    contents = {
        "round": (
            {code: f"the-{code}" for code in codes},
            {f"the-{code}": SHAPES[k % 2] for k, code in enumerate(codes)},
        ),
        "square": ({}, {f"the-{codes[0]}": SHAPES[1]}),
    }
    sets = []
    for name, (chars, icons) in contents.items():
        buffer = io.BytesIO()
        documents = {
            "icons": {"width": 16, "height": 16, "icons": {icon: {"body": body} for icon, body in icons.items()}},
            "chars": chars,
        }
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for file, document in documents.items():
                text = json.dumps(document).encode()
                member = tarfile.TarInfo(f"package/{file}.json")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text))
        data = buffer.getvalue()
        sets.append(IconSet(name, "1.0.0", hashlib.sha256(data).hexdigest(), "MIT", "Nobody"))
        (tmp_path / sets[-1].archive).write_bytes(data)
    for module in ("icon_sets", "miniature_folder"):
        monkeypatch.setattr(f"eegdiffusion.surrogate.text_to_image.{module}.ICON_SETS", tuple(sets))
    return tmp_path


def test_drawings_are_found_by_code_point_and_by_the_name_that_another_set_gives_it(cache):
    characters = concepts_in_order(20)[:4]
    drawings = draw_icons(cache, characters, 32)
    assert [[name for name, _ in drawings[character]] for character in characters] == [
        ["round", "square"], ["round"], ["round"], [],
    ]  # fmt: skip
    circle, triangle = (image for _, image in drawings[characters[0]])
    assert circle.mode == "RGBA"
    # A circle of radius 7 of 16 and half a square of 14, cut to what is drawn.
    assert [np.asarray(image)[..., 3].mean() / 255 for image in (circle, triangle)] == pytest.approx(
        [0.785, 0.5], abs=0.05
    )


def test_an_archive_that_is_not_the_pinned_one_is_refused(cache):
    icons = replace(icon_sets.ICON_SETS[0], sha256="0" * 64)
    with pytest.raises(InputError, match=rf"{icons.archive}: its sha256 must be 0000"):
        fetch_icons(icons, cache)


def test_without_npm_a_set_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"noto-1\.2\.9\.tgz: no such file, and npm"):
        fetch_icons(icon_sets.ICON_SETS[0], tmp_path)


def test_captions_say_what_is_seen():
    assert Scene("fish", "green", "violet", "left").caption == "a small green fish on violet at the left"
    assert Scene("palm_tree", None, "white", None).caption == "a large palm tree on white"


@pytest.mark.parametrize("held_out", [False, True])
def test_held_out_pairs_are_never_among_the_others(held_out):
    rng = np.random.default_rng(0)
    scenes = [(number, draw_scene_of("x", number, rng, held_out)) for number in range(80) for _ in range(20)]
    colours = [(number, scene.colour) for number, scene in scenes if scene.colour]
    assert all(is_held_out(number, colour) == held_out for number, colour in colours)
    assert all(scene.ground != scene.colour for _, scene in scenes)
    assert {number for number, _ in colours} == set(range(80))


def test_a_scene_has_its_colours_and_its_place(cache):
    drawing = draw_icons(cache, concepts_in_order(20)[:1], 64)[concepts_in_order(20)[0]][0][1]
    rng = np.random.default_rng(1)
    for colour, (hue, _) in HUES.items():
        pixels = np.asarray(paint(drawing, colour, rng).convert("RGB").convert("HSV"), float)[24:40, 24:40, 0] / 255
        assert np.all(np.abs((pixels - hue + 0.5) % 1 - 0.5) < 0.04), colour
    for place, centre in {"left": (0.3, 0.5), "right": (0.7, 0.5), "top": (0.5, 0.3), "bottom": (0.5, 0.7)}.items():
        image = np.asarray(draw(Scene("x", "red", "white", place), drawing, rng, 64), float)
        red = (image[..., 0] - image[..., 1]) > 60
        rows, columns = np.nonzero(red)
        assert (columns.mean() / 64, rows.mean() / 64) == pytest.approx(centre, abs=0.1), place


def test_a_prompt_begins_and_ends_as_clips_do_and_unknown_words_are_ends():
    tokenizer = make_tokenizer(["a", "fish"], 6)
    assert tokenizer.convert_ids_to_tokens(range(4)) == ["a", "fish", START, END]
    assert token_ids(tokenizer, ["A fish", "a whale", "", "a a a a a a a"]).tolist() == [
        [2, 0, 1, 3, 3, 3], [2, 0, 3, 3, 3, 3], [2, 3, 3, 3, 3, 3], [2, 0, 0, 0, 0, 3],
    ]  # fmt: skip


@pytest.mark.slow
def test_the_folder_that_is_built_is_a_pipeline_of_diffusers_that_conditions_and_draws(cache, tmp_path):
    settings = Miniature(concepts=4, pictures=360, validation_fraction=0.2)
    settings = replace(
        settings.trained_for(1, 1),
        autoencoder=replace(settings.trained_for(1, 1).autoencoder, widths=[4, 8, 8]),
        network=replace(settings.trained_for(1, 1).network, widths=[16, 32]),
        judge=replace(settings.judge, max_epochs=1),
    )
    hardware = Hardware(accelerator="cpu", precision="32-true")
    out = tmp_path / "generator"
    build(out, cache, tmp_path / "work", settings, hardware, "eeg surrogate generator", "abc")
    pipeline = StableDiffusionPipeline.from_pretrained(out, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    images = pipeline("a green fish on violet", num_inference_steps=2, generator=generator, output_type="np").images
    assert images.shape == (1, 32, 32, 3)
    assert np.isfinite(images).all()
    opened = open_generator(Source(str(out), None, 32))
    assert opened.latent_shape == (4, 8, 8)
    assert opened.unet.dtype == torch.float32
    weights = [load_file(path) for path in out.rglob("*.safetensors")]
    assert len(weights) == 4
    assert {value.dtype for part in weights for value in part.values() if value.is_floating_point()} == {torch.float16}
    scores = json.loads((out / "scores.json").read_text())
    assert scores["generated"]["concept"]["pictures"] == 360
    assert scores["true"]["colour"]["low"] <= scores["true"]["colour"]["share"] <= scores["true"]["colour"]["high"]
    card = (out / "README.md").read_text()
    names = [emoji_concepts()[character].replace("_", " ") for character in concepts_in_order(20)[:3]]
    assert ", ".join(names) in card
    assert "revision abc" in card
    assert "square 1.0.0 (package @iconify-json/square), drawings by Nobody: MIT" in (out / "NOTICE").read_text()
    with pytest.raises(InputError, match="exists"):
        build(out, cache, tmp_path / "work", settings, hardware, "", "")


def test_scenes_depend_on_the_seed_alone(cache):
    first, second = (collect_scenes(cache, 20, 3, 12, 16) for _ in range(2))
    other = collect_scenes(cache, 20, 3, 12, 16, held_out=True)
    np.testing.assert_array_equal(first.images, second.images)
    assert first.captions == second.captions != other.captions
    assert set(" ".join(first.captions).split()) <= set(first.words)
