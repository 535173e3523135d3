"""Every encoder of EEG epochs: one contract, one table."""

import inspect
from operator import itemgetter

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import Ridge
from torch import nn

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.inference import ArrayDataset
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder, SubjectLayer
from eegdiffusion.images.encoders.eegconvnet import EEGConvNet
from eegdiffusion.images.encoders.encoder_training import electrode_positions
from eegdiffusion.images.encoders.graph_encoder import neighbour_distances
from eegdiffusion.images.encoders.layer_weights import mix_layers
from eegdiffusion.images.encoders.registry import ENCODERS, build_encoder, load_encoder
from eegdiffusion.images.encoders.ridge import RidgeEpochs, select_ridge
from eegdiffusion.images.encoders.spatiotemporal import SpatioTemporal
from tests.oracles import naive_spatiotemporal

SHAPES = [(63, 250, 1024), (17, 200, 40), (128, 440, 40)]
VARIANTS = [
    *((name, {}) for name in ENCODERS),
    ("spatiotemporal", {"attention": True, "kernels": [5, 25, 63], "hidden": 16, "step": 4}),
    ("spatiotemporal", {"layers": 1, "hidden": 8, "filters": 4, "parts": 3}),
    ("atms", {"unseen": "mean", "n_subjects": 3}),
    ("graph", {"width": 16, "heads": 2, "layers": 1, "filters": 4, "parts": 5}),
]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_contract(tmp_path, name, options, shape):
    channels, samples, outputs = shape
    if name == "eegconvnet" and shape == (63, 250, 1024):
        outputs = 10  # its head has 59,136 inputs
    model = build_encoder(name, n_chans=channels, n_times=samples, n_outputs=outputs, **options)
    x = torch.randn(3, channels, samples)
    found = model(x)
    assert found.shape == (3, outputs)
    found.square().sum().backward()
    unused = [k for k, p in model.named_parameters() if p.grad is None and not k.endswith("subject_tokens")]
    assert not unused, unused
    model.eval().save_pretrained(tmp_path)
    again = load_encoder(tmp_path)
    with torch.inference_mode():
        whole = model(x)
        assert torch.equal(again(x), whole)
        each = torch.cat([model(part[None]) for part in x])
        assert torch.allclose(each, whole, atol=1e-4), "an epoch's output depends on the others of its batch"
    with pytest.raises(InputError, match=rf"eeg: must be \(batch, {channels}, {samples}\)"):
        model(x[:, :, 1:])


@pytest.mark.parametrize("name", ENCODERS)
def test_time_and_electrodes_matter(name):
    """Permuted time or electrodes give another output: no branch reads the axes the wrong way round."""
    model = build_encoder(name, n_chans=17, n_times=160, n_outputs=8).eval()
    x = torch.randn(2, 17, 160)
    with torch.inference_mode():
        for other in (x.flip(2), x.flip(1)):
            assert (model(other) - model(x)).abs().max() > 1e-4


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("unseen", ["mean", "identity", "shared"])
def test_subjects_have_their_own_input_and_unseen_ones_are_served(name, unseen):
    if (unseen == "shared") != (name == "atms") and unseen != "mean":
        return
    model = build_encoder(name, n_chans=9, n_times=160, n_outputs=4, n_subjects=3, unseen=unseen).eval()
    with torch.no_grad():
        for parameter in (getattr(model, "subject_tokens", None), getattr(model.subject_layer, "mixing", None)):
            if parameter is not None:
                parameter += 0.3 * torch.randn_like(parameter)
    x = torch.randn(1, 9, 160)
    with torch.inference_mode():
        outputs = {k: model(x, torch.tensor([k])) for k in (-1, 0, 1, 2)}
        assert torch.equal(model(x), outputs[-1]), "no number: not seen in training"
        mixed = model(x.repeat(4, 1, 1), torch.tensor([2, -1, 0, 1]))
    for a in range(-1, 3):
        for b in range(a):
            assert not torch.allclose(outputs[a], outputs[b], atol=1e-5), (a, b)
    assert torch.allclose(mixed, torch.cat([outputs[k] for k in (2, -1, 0, 1)]), atol=1e-4)
    with pytest.raises(InputError, match="subject: must be -1"):
        model(x, torch.tensor([3]))


def test_a_fresh_layer_of_subjects_changes_nothing():
    x = torch.randn(2, 5, 7)
    for unseen in ("mean", "identity"):
        layer = SubjectLayer(4, 5, unseen)
        assert torch.allclose(layer(x, torch.tensor([1, -1])), x)
        assert torch.allclose(layer(x, None), x)
    with pytest.raises(InputError, match="unseen: must be one of mean, identity"):
        SubjectLayer(4, 5, "other")


def test_eegconvnet_has_the_shapes_of_its_paper():
    """The output sizes that the figure prints, block by block (its 220 samples after the first are 221)."""
    model = EEGConvNet()
    shapes = {}
    layers = {"temporal": model.temporal, "spatial": model.spatial, "deep": model.deep, "projection": model.projection,
              "tokens": model.to_tokens, "temporal convolution": model.temporal[0]}  # fmt: skip
    for name, layer in layers.items():
        layer.register_forward_hook(lambda _, __, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    x = torch.randn(2, 128, 440)
    assert model(x).shape == (2, 40)
    assert shapes == {
        "temporal convolution": (32, 128, 221),
        "temporal": (32, 128, 221),
        "spatial": (64, 1, 55),
        "deep": (128, 1, 7),
        "projection": (128, 1, 768),
        "tokens": (77, 1, 768),
    }
    assert model.condition(x).shape == (2, 77, 768)
    assert model.spatial[0].groups == 32
    assert model.temporal[0].kernel_size == (1, 64)
    counted = {name: sum(p.numel() for p in layer.parameters()) for name, layer in layers.items()}
    assert counted["temporal convolution"] == 32 * 64 + 32
    assert counted["projection"] == 7 * 768 + 768
    assert counted["tokens"] == 128 * 77 + 77
    assert sum(p.numel() for p in model.classifier.parameters()) == 77 * 768 * 40 + 40


def test_neighbours_are_the_nearest_on_the_head():
    """Against a plain loop: an edge where either is among the other's nearest, in units of the mean nearest."""
    names = ["Fz", "Cz", "C3", "C4", "Pz", "P3", "P4", "Oz", "O1"]
    places = np.array(electrode_positions(names, "graph"))
    distances = neighbour_distances(torch.from_numpy(places), 2).numpy()
    apart = {(a, b): float(np.linalg.norm(places[a] - places[b])) for a in range(9) for b in range(9) if a != b}
    nearest = {a: sorted((b for b in range(9) if b != a), key=lambda b, a=a: apart[a, b])[:2] for a in range(9)}
    unit = np.mean([apart[a, nearest[a][0]] for a in range(9)])
    for a in range(9):
        for b in range(9):
            edge = b in nearest[a] or a in nearest[b]
            expected = 0.0 if a == b else apart[a, b] / unit if edge else np.inf
            assert distances[a, b] == pytest.approx(expected, rel=1e-5), (names[a], names[b])
    assert np.isinf(distances[names.index("Fz"), names.index("Oz")])
    assert np.isfinite(distances[names.index("O1"), names.index("Oz")])


def test_a_graph_passes_signals_along_its_edges_alone():
    """One layer: an electrode's node changes with those next to it, and with no other; two layers reach their next."""
    names = ["Fz", "FCz", "Cz", "CPz", "Pz", "POz", "Oz"]
    positions = electrode_positions(names, "graph")
    x, changed = torch.randn(1, 7, 100), torch.randn(100)
    for layers in (1, 2):
        model = build_encoder(
            "graph", n_chans=7, n_times=100, n_outputs=4, positions=positions, neighbours=1, layers=layers
        ).eval()
        nodes = []
        model.readout.register_forward_hook(lambda _, inputs, __, nodes=nodes: nodes.append(inputs[0]))
        other = x.clone()
        other[0, 0] = changed
        with torch.inference_mode():
            model(x), model(other)
        moved = (nodes[0] - nodes[1]).abs().amax((0, 2)) > 1e-6
        steps, near = {0}, torch.isfinite(model.distances)
        for _ in range(layers):
            steps |= {int(b) for a in steps for b in torch.nonzero(near[a])}
        assert {k for k in range(7) if moved[k]} == steps
        assert len(steps) < 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positions": [[0, 0, 1]] * 4}, r"positions: must be \(5, 3\)"),
        ({"positions": [[0, 0, float("nan")]] * 5}, "positions: must be .* finite"),
        ({"positions": [[0, 0, 1]] * 5, "neighbours": 0}, "neighbours: must be 1 or more"),
        ({"heads": 3}, "heads must divide width 64"),
        ({"neighbors": 3}, "options: must be among"),
    ],
)
def test_graphs_that_cannot_be_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        build_encoder("graph", n_chans=5, n_times=50, n_outputs=4, **options)


def test_electrodes_without_a_place_are_named():
    with pytest.raises(InputError, match=r"standard_1005.*found E7, EEG1"):
        electrode_positions(["Cz", "E7", "oz", "EEG1", "Fp1-REF"], "graph")


@pytest.mark.parametrize("name", [name for name in ENCODERS if name != "eegconvnet"])
def test_a_mixture_of_layers_weighs_their_cosines(tmp_path, name):
    widths = [3, 5, 4]
    sizes = {"n_chans": 9, "n_times": 160, "n_outputs": 12, "layer_widths": widths}
    model = build_encoder(name, **sizes, routed_subjects=2).eval()
    with torch.no_grad():
        model.layer_mixture.logits += torch.tensor([0.0, 1.0, -1.0])
        model.layer_mixture.offsets += torch.tensor([[5.0, 0, 0], [0, 0, 5.0]])
    x, images = torch.randn(2, 9, 160), torch.randn(6, 12)
    joined = torch.cat([nn.functional.normalize(part, dim=1) for part in images.split(widths, 1)], 1)
    with torch.inference_mode():
        embedding = model(x, torch.tensor([0, 1]))
        assert torch.equal(embedding, model(x)), "in evaluation nobody's own weights are used"
        weights = torch.tensor([0.0, 1.0, -1.0]).softmax(0)
        cosines = sum(
            weight * nn.functional.normalize(part, dim=1) @ unit.T
            for weight, part, unit in zip(weights, embedding.split(widths, 1), joined.split(widths, 1), strict=True)
        )
        assert torch.allclose(embedding @ joined.T, cosines, atol=1e-5)
    lengths = torch.stack([part.norm(dim=1) for part in embedding.split(widths, 1)], 1)
    assert torch.allclose(lengths, weights.expand(2, -1), atol=1e-5)
    model.save_pretrained(tmp_path)
    with torch.inference_mode():
        assert torch.equal(load_encoder(tmp_path)(x), embedding)
    routed = model.train().layer_mixture(torch.randn(3, 12), torch.tensor([0, 1, -1]))
    strongest = torch.stack([part.norm(dim=1) for part in routed.split(widths, 1)], 1).argmax(1)
    assert strongest.tolist() == [0, 2, 1]
    with pytest.raises(InputError, match="layer_widths: must be of sum n_outputs 12"):
        build_encoder(name, **sizes | {"layer_widths": [3, 5]})


def test_a_linear_map_learns_which_layer_its_epochs_tell_of():
    rng = np.random.default_rng(0)
    carried, other = (rng.standard_normal((80, 6)).astype(np.float32) for _ in range(2))
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in (carried, other)]
    eeg = (carried + 0.2 * rng.standard_normal(carried.shape)).astype(np.float32)[:, None]
    encoder = build_encoder("ridge", n_chans=1, n_times=6, n_outputs=12).eval()
    with torch.no_grad():
        encoder.map.weight.copy_(torch.cat([torch.eye(6), torch.randn(6, 6)]))
    with torch.inference_mode():
        predicted = encoder(torch.from_numpy(eeg)).numpy()
    mixed = mix_layers(encoder, predicted, np.concatenate(unit, 1), np.arange(80), [6, 6])
    assert mixed.layer_mixture.weights[0] > 0.9


def test_eegnet_has_the_parameters_of_its_paper():
    """EEGNet-8,2 for 64 electrodes, a second at 128 Hz and two classes has 2258 weights (Lawhern et al., table 3)."""
    model = build_encoder("eegnet", n_chans=64, n_times=128, n_outputs=2)
    assert sum(p.numel() for p in model.parameters()) == 2258


def test_atms_has_the_shapes_of_its_paper():
    model = build_encoder("atms")
    assert model.projection[0].weight.shape == (1024, 1440)
    x = torch.randn(1, 1, 63, 250)
    assert model.convolutions(x).shape == (1, 40, 1, 36)
    assert model.attention.qkv.weight.shape == (3 * 248, 250)  # 4 heads of 62


@pytest.mark.parametrize("epochs", [40, 90])
def test_ridge_is_scikit_learns(epochs):
    rng = np.random.default_rng(0)
    eeg = rng.standard_normal((epochs, 3, 20)).astype(np.float32) + 1
    flat = eeg.reshape(epochs, -1)
    features = (flat @ rng.standard_normal((60, 5)) + 2).astype(np.float32)
    ridge = RidgeEpochs(ArrayDataset(eeg=eeg, features=features))
    projection = ridge.project(lambda items: items["features"])
    flat = flat.astype(np.float64)
    for alpha in (2.0, 1e-3, 0.1):
        expected = Ridge(alpha * epochs * flat.var()).fit(flat, features.astype(np.float64))
        fit = ridge.fit(projection, alpha)
        assert np.abs(fit.weight - expected.coef_.T).max() < 1e-5 * np.abs(expected.coef_).max()
        with torch.inference_mode():
            assert np.allclose(ridge.encoder(fit)(torch.from_numpy(eeg)), expected.predict(flat), atol=1e-4)
        assert np.allclose(ridge.predict(fit, ArrayDataset(eeg=eeg[:7])), expected.predict(flat[:7]), atol=1e-4)


def test_what_is_misspelt_is_named():
    with pytest.raises(InputError, match=r"encoder: must be one of spatiotemporal, .* 'other'"):
        build_encoder("other")
    with pytest.raises(InputError, match=r"encoder eegnet: options: must be among n_chans.*\(found kernels\)"):
        build_encoder("eegnet", kernels=[3])
    for cls in ENCODERS.values():
        assert list(inspect.signature(cls.__init__).parameters)[1:6] == [
            "n_chans", "n_times", "n_outputs", "n_subjects", "unseen",
        ]  # fmt: skip


def test_spatiotemporal_is_its_formulas_written_out():
    model = SpatioTemporal(
        5, 48, 7, hidden=4, layers=2, step=3, filters=3, kernels=(4, 9), parts=5, dropout=0.0
    ).train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    weights, eeg = dict(model.named_parameters()), torch.randn(6, 5, 48)
    expected = naive_spatiotemporal(weights, eeg, step=3, layers=2, fields=2, parts=5)
    assert torch.allclose(model(eeg), expected, atol=1e-5)


def test_the_ridge_penalty_is_the_best_of_the_validation():
    rng = np.random.default_rng(3)
    eeg, weight = rng.normal(size=(60, 3, 5)).astype(np.float32), rng.normal(size=(15, 4))
    targets = eeg.reshape(60, -1) @ weight + 3 * rng.normal(size=(60, 4))
    train, validation = slice(0, 40), slice(40, 60)
    data, other = ArrayDataset(eeg=eeg[train], target=targets[train]), ArrayDataset(eeg=eeg[validation])
    target, losses = itemgetter("target"), {}
    for alpha in (1e-3, 0.3, 30.0):
        ridge = RidgeEpochs(data)
        predicted = ridge.predict(ridge.fit(ridge.project(target), alpha), other)
        losses[alpha] = float(np.square(predicted - targets[validation]).mean())
    selected = select_ridge(data, target, other, list(losses), lambda p: np.square(p - targets[validation]).mean())
    assert selected.alpha == min(losses, key=losses.get)
    assert selected.loss == losses[selected.alpha]
    with torch.inference_mode():
        encoded = selected.encoder(torch.from_numpy(eeg[validation])).numpy()
    assert np.square(encoded - targets[validation]).mean() == pytest.approx(selected.loss, rel=1e-4)
    first = select_ridge(data, target, other, [5.0, 1.0], lambda predicted: 0.0)
    assert first.alpha == 5.0


def test_weights_that_were_saved_with_two_parts_to_a_residual_block_are_loaded(tmp_path):
    """Encoders of earlier versions: ``first`` is convolution, norm, activation; ``second`` is convolution and norm."""
    model = build_encoder("channelnet", n_chans=16, n_times=64, n_outputs=3, temporal=2, spatial=3, blocks=2, width=8)
    model.eval().save_pretrained(tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    earlier = {}
    for name, values in load_file(path).items():
        for place, part in enumerate(("first.0", "first.1", None, "second.0", "second.1")):
            name = name.replace(f".layers.{place}.", f".{part}.")
        earlier[name] = values
    assert "residual.2.second.1.running_mean" in earlier
    assert not any(".layers." in name for name in earlier)
    save_file(earlier, path, metadata={"format": "pt"})
    x = torch.randn(2, 16, 64)
    with torch.inference_mode():
        assert torch.equal(load_encoder(tmp_path)(x), model(x))


def test_a_base_or_an_unknown_size_is_refused():
    with pytest.raises(TypeError, match="is a base"):
        EEGEncoder()
    with pytest.raises(TypeError, match=r"sizes must be among n_chans, .*found n_channels"):

        class Misspelt(EEGEncoder, n_channels=3):
            pass
