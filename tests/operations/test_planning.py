"""Plans: operations written out by hand, stages side by side, corpora by their files, and what does not fit."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn
from torch.nn import functional

from benchmarks import planned_costs
from eegdiffusion.commands.plan import sizes_of, stated_sizes
from eegdiffusion.core.runtime import contract
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.corpora.event_corpus import EventCorpus
from eegdiffusion.events.models.ssmdp import SSMDP
from eegdiffusion.operations.planning.corpora_on_disk import corpus_sizes, event_corpus_size
from eegdiffusion.operations.planning.corpus_size import CorpusSizes, published_sizes
from eegdiffusion.operations.planning.cost_rules import rule_of, ruled_stages
from eegdiffusion.operations.planning.counted_operations import META, Operation, count, count_step, weight_bytes
from eegdiffusion.operations.planning.gpu_table import find_gpu, gpus
from eegdiffusion.operations.planning.machine_rates import Rates, gpu_rates, machine_rates
from eegdiffusion.operations.planning.plan import Machine, make_plan, stage_costs, stage_starts
from eegdiffusion.operations.planning.schedule import schedule
from eegdiffusion.operations.planning.stage_cost import Planned
from tests.tuev_fixture import write_corpus

PARAMS = Path(__file__).parents[2] / "params.yaml"

PROCESSOR = Rates("a processor", 1e11, 5e10, 2e10, 3e8, 3e10, 6e10, 4e-6, loop_s=0.03)


def document(**changes):
    return yaml.safe_load(PARAMS.read_text()) | changes


def planned(events="tuev", **changes):
    """Return what rules know of published corpora under the names of params.yaml."""
    sizes = published_sizes()
    known = document(**changes)
    of_events = {name: sizes.events[events] for name in known["event_corpora"]}
    return Planned(
        known, CorpusSizes(of_events, {name: sizes.images["things_eeg2_raw"] for name in known["image_corpora"]})
    )


def flops(operations, kind):
    return sum(times * call.flops for call, times in operations.calls.items() if call.kind == kind)


def test_every_stage_has_a_rule_and_a_start():
    assert sorted(ruled_stages()) == sorted(stage_starts()) == contract.stage_names()
    assert all(rule_of(stage).__name__ == stage for stage in ruled_stages())


def test_a_linear_layer_is_counted_as_its_products():
    layer, x = nn.Linear(30, 70, device=META), torch.empty(11, 30, device=META)
    assert flops(count(lambda: layer(x)), "matmul") == 2 * 11 * 30 * 70
    # Backward: the gradient of the weights; the input has none.
    assert flops(count_step(layer, lambda: layer(x).sum()), "matmul") == 2 * 2 * 11 * 30 * 70


def test_attention_is_one_kernel_whose_weights_are_never_held():
    query = torch.empty(2, 3, 500, 16, device=META)
    counted = count(lambda: functional.scaled_dot_product_attention(query, query, query))
    assert flops(counted, "matmul") == 4 * 2 * 3 * 500 * 500 * 16
    assert counted.peak_bytes < 4 * 2 * 3 * 500 * 500  # scores of all pairs alone would be these bytes


def test_a_transform_costs_what_cooley_and_tukey_say():
    x = torch.empty(5, 1024, device=META)
    assert flops(count(lambda: torch.fft.rfft(x)), "fft") == round(2.5 * 5 * 1024 * math.log2(1024))


def test_views_cost_nothing_and_what_is_freed_is_not_held():
    x = torch.empty(1000, 1000, device=META)
    assert not count(lambda: x.T.reshape(500, 2000)[:, 3:].unsqueeze(0)).calls.keys() - {
        Operation("copy", 0, 8_000_000)
    }

    def chain():
        y = x
        for _ in range(10):
            y = y + 1.0
        return y

    assert count(chain).peak_bytes == 2 * 4_000_000
    with torch.no_grad():
        assert count(lambda: x.exp().sin().cos()).peak_bytes == 2 * 4_000_000


def test_a_step_of_the_papers_backbone_is_what_it_is_known_to_be():
    """A step of batch 8 was measured to be 74 GFLOP of linear maps and transforms, one of 108 to take 8.8 GiB."""
    with torch.device(META):
        network = SSMDP().train()
        signals, ids = torch.empty(8, 1, 1000), torch.zeros(8, 1, dtype=torch.long)
    step = count_step(network, lambda: network(signals, ids, ids).square().mean())
    assert step.flops == pytest.approx(74e9, rel=0.15)
    assert weight_bytes(network) == pytest.approx(4 * 5.93e6, rel=0.01)
    with torch.device(META):
        signals, ids = torch.empty(108, 1, 1000), torch.zeros(108, 1, dtype=torch.long)
    step = count_step(network, lambda: network(signals, ids, ids).square().mean())
    assert step.peak_bytes == pytest.approx(8.8 * 2**30, rel=0.15)


def test_gradient_checkpointing_is_counted_with_what_it_computes_again():
    from diffusers import UNet2DConditionModel

    sizes = {"block_out_channels": (32, 64), "layers_per_block": 1, "cross_attention_dim": 16, "sample_size": 16}
    kinds = {
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    }
    with torch.device(META):
        unet = UNet2DConditionModel(**sizes, **kinds, norm_num_groups=8).train()
        x, steps, text = torch.empty(4, 4, 16, 16), torch.zeros(4, dtype=torch.long), torch.empty(4, 7, 16)

    def loss():
        return unet(x, steps, encoder_hidden_states=text).sample.square().mean()

    whole = count_step(unet, loss)
    unet.enable_gradient_checkpointing()
    again = count_step(unet, loss)
    assert 1.2 * whole.flops < again.flops < 1.5 * whole.flops
    assert again.peak_bytes < 0.9 * whole.peak_bytes


def test_seconds_are_the_slower_of_arithmetic_and_bytes():
    x = torch.empty(4096, 4096, device=META)
    (product,) = count(lambda: x @ x).calls
    seconds = PROCESSOR.seconds(count(lambda: x @ x))
    assert seconds == pytest.approx(product.flops / PROCESSOR.matmul + PROCESSOR.call_s)
    assert PROCESSOR.seconds(count(lambda: x + 1.0)) == pytest.approx(
        2 * 4 * 4096**2 / PROCESSOR.copy + PROCESSOR.call_s
    )
    gpu = gpu_rates("h100", "32-true")
    assert gpu.seconds(count(lambda: x @ x), devices=4) == pytest.approx(gpu.seconds(count(lambda: x @ x)) / 4)
    assert gpu.seconds(count(lambda: x[:2, :2] + 1.0)) == gpu.call_s


def test_a_gpu_is_found_by_its_name_or_refused_by_it():
    assert find_gpu("A100") == gpus()["a100"]
    assert gpu_rates("a100", "bf16-mixed").matmul > 10 * gpu_rates("a100", "32-true").matmul
    with pytest.raises(InputError, match=r"--gpu: must be one of .*h100.* \(found h10\)"):
        find_gpu("h10")


def test_rates_are_measured_once(tmp_path):
    rates = machine_rates(1, tmp_path)
    assert rates.matmul > rates.transform > 1e8
    assert rates.cached_copy > 1e8
    assert 1e-7 < rates.call_s < 1e-3
    assert machine_rates(1, tmp_path) == rates
    several = machine_rates(2, tmp_path)
    assert several.matmul >= rates.matmul


def test_stages_side_by_side_wait_for_each_other():
    upstream = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "elsewhere": []}
    seconds = {"a": 1.0, "b": 5.0, "c": 2.0, "d": 1.0}
    one, two = schedule(upstream, seconds, 1), schedule(upstream, seconds, 2)
    assert (one.seconds, two.seconds) == (9.0, 7.0)
    assert two.longest_way == ["a", "b", "d"]
    assert one.longest_s == two.longest_s == 7.0
    # With two jobs and one GPU that both want, they take turns.
    assert schedule(upstream, seconds, 2, {"b": 1, "c": 1}, 1).seconds == 9.0
    assert schedule(upstream, seconds, 2, {"b": 4, "c": 4}, 8).seconds == 7.0


@pytest.fixture(scope="module")
def raw_tuev(tmp_path_factory):
    root = tmp_path_factory.mktemp("raw") / "edf"
    write_corpus(root)
    return root


def test_a_raw_corpus_is_counted_by_its_files(raw_tuev):
    corpora = document()["event_corpora"]["tuev"] | {"root": str(raw_tuev)}
    size = sizes_of({"event_corpora": {"mine": corpora}}, {}).events["mine"]
    files = list(raw_tuev.rglob("*.edf"))
    assert size.recordings == len(files)
    rows = sum(len(path.read_text().splitlines()) for path in raw_tuev.rglob("*.rec"))
    assert sum(size.rows.values()) == pytest.approx(rows, abs=3)
    assert size.raw_rate_hz == 250
    assert str(raw_tuev) in size.about


def test_sizes_that_are_stated_win_and_others_are_published():
    entry = document()["event_corpora"]["tuev"] | {"root": "data/raw/none"}
    stated = stated_sizes(("tuev.hours=7.5", "tuev.recordings=9"))
    size = sizes_of({"event_corpora": {"tuev": entry}}, stated).events["tuev"]
    assert (size.hours, size.recordings) == (7.5, 9)
    assert size.rows == published_sizes().events["tuev"].rows
    assert size.about.endswith("hours, recordings as stated")
    with pytest.raises(InputError, match=r"--size: there is no corpus tuve; did you mean 'tuev'"):
        sizes_of({"event_corpora": {"tuev": entry}}, {"tuve": {"hours": 1}})
    with pytest.raises(InputError, match=r"--size: tuev.hour: .*did you mean .hours"):
        sizes_of({"event_corpora": {"tuev": entry}}, {"tuev": {"hour": 1}})


def test_a_corpus_of_unknown_size_is_named_with_what_to_do():
    entry = document()["event_corpora"]["blink"] | {"root": "data/raw/none"}
    sizes = sizes_of({"event_corpora": {"blink": entry}}, {})
    assert "state it: --size blink.FIELD=VALUE" in sizes.unknown["blink"]
    fields = asdict(published_sizes().events["tuev"])
    whole = {name: value for name, value in fields.items() if name != "about"}
    assert sizes_of({"event_corpora": {"blink": entry}}, {"blink": whole}).events["blink"].recordings == 518
    _, unplanned = stage_costs(Planned(document(), sizes), ["ingest_events@blink", "cache_latents@blink"])
    assert set(unplanned) == {"ingest_events@blink", "cache_latents@blink"}
    assert corpus_sizes({}, {}, {}).unknown == {}
    with pytest.raises(InputError, match="no such folder"):
        event_corpus_size("blink", EventCorpus(**entry))


def test_cost_grows_with_the_corpus_and_memory_of_a_training_does_not():
    small, large = planned(), planned()
    large.sizes.events["tuev"] = replace(
        small.event_corpus("tuev"),
        hours=10 * small.event_corpus("tuev").hours,
        recordings=10 * small.event_corpus("tuev").recordings,
        windows={split: 10 * n for split, n in small.event_corpus("tuev").windows.items()},
    )
    names = ["preprocess_events@tuev", "pretrain_ssmdp@base", "cache_latents@base"]
    (first, _), (second, _) = stage_costs(small, names), stage_costs(large, names)
    assert second[names[0]].output_bytes == pytest.approx(10 * first[names[0]].output_bytes, rel=0.01)
    assert second[names[1]].steps == pytest.approx(10 * first[names[1]].steps, rel=0.01)
    assert second[names[1]].activation_bytes == first[names[1]].activation_bytes
    assert second[names[2]].output_bytes == pytest.approx(10 * first[names[2]].output_bytes, rel=0.1)
    tokens = 3 * 5 * 22 * 16  # layers, pools, channels, width of params.yaml
    windows = sum(small.event_corpus("tuev").windows.values())
    assert first[names[2]].output_bytes == pytest.approx(windows * tokens, rel=0.01)


def test_what_does_not_fit_is_said():
    names = ["ingest_events@tuev", "preprocess_events@tuev", "pretrain_ssmdp@base"]
    upstream = {names[0]: [], names[1]: names[:1], names[2]: names[1:2]}
    fits = Machine(PROCESSOR, cores=2, memory=1 << 40, disk=1 << 50)
    plan = make_plan(planned(), upstream, names, fits, 1)
    assert plan.problems == []
    assert plan.schedule.longest_way == names
    assert plan.schedule.seconds == pytest.approx(sum(stage.seconds for stage in plan.stages))
    small = replace(fits, memory=1 << 30, disk=1 << 30)
    problems = make_plan(planned(), upstream, names, small, 1).problems
    assert any(problem.startswith("disk: 5.") and "1.1 GB are free" in problem for problem in problems)
    assert any("memory: pretrain_ssmdp@base needs" in problem for problem in problems)
    gpu = replace(gpu_rates("t4", "32-true"), memory=10**6)
    problems = make_plan(planned(), upstream, names, replace(fits, gpu=gpu), 1).problems
    assert any(problem.startswith("GPU memory: pretrain_ssmdp@base needs") for problem in problems)


def test_devices_share_the_steps_of_a_training_and_its_activations():
    names, gpu = ["pretrain_ssmdp@base"], gpu_rates("l4", "32-true")
    model = document()["pretrain_ssmdp"] | {"model": {}}
    one = Machine(PROCESSOR, cores=2, memory=1 << 40, disk=1 << 50, gpu=gpu)
    known = planned(pretrain_ssmdp=model)
    (alone,), (shared,) = (
        make_plan(known, {}, names, replace(one, devices=devices, gpus=devices), 1).stages for devices in (1, 4)
    )
    assert (alone.gpus, shared.gpus) == (1, 4)
    assert shared.gpu_bytes < 0.7 * alone.gpu_bytes
    assert shared.seconds - shared.least_s < alone.seconds - alone.least_s


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["paper", "paper-things", "paper-eegcvpr40"])
def test_all_stages_of_the_papers_profiles_are_planned(profile):
    from eegdiffusion.commands.plan import planned_document
    from eegdiffusion.operations.planning.stale_stages import stages_of

    known, changed = planned_document(profile, ())
    assert changed
    for name in ("blink", "scp"):
        known["event_corpora"].pop(name)
        for section in ("latents", "probe_tasks", "event_tasks"):
            known[section].pop(name)
    if profile != "paper":
        known["image_corpora"].pop("classes")
    upstream = stages_of(known)
    sizes = sizes_of(
        known, {"classes": asdict(published_sizes().images["things_eeg2_raw"])} if profile == "paper" else {}
    )
    costs, unplanned = stage_costs(Planned(known, sizes), upstream)
    assert unplanned == {}
    encoders = known["eeg_encoders"].items()
    without_steps = {f"train_eeg_encoder@{name}" for name, entry in encoders if entry["encoder"] == "ridge"}
    for name, cost in costs.items():
        assert cost.output_bytes > 0, name
        assert cost.phases, name
        trained = name.startswith(("pretrain", "finetune", "ablate", "train")) and name not in without_steps
        assert (cost.steps > 0) == trained, name


MISSED: dict[str, set[str]] = {"time": set(), "memory": {"ingest_images@classes"}, "disk": set()}
"""Stages whose plan misses its bar, by what of it does; see benchmarks/planned_costs.md."""


@pytest.mark.slow
def test_plans_are_within_their_bars_of_what_the_demo_took():
    recorded = json.loads(planned_costs.RECORDED.read_text())
    comparisons = list(planned_costs.compare(recorded))
    assert len(comparisons) == len(recorded["stages"])
    for what, missed in MISSED.items():
        assert {each.name for each in comparisons if not getattr(each, f"{what}_holds")} == missed
