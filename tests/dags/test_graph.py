"""The graph that the DAGs are made from is DVC's."""

import subprocess
import sys
from dataclasses import replace

import pytest
import yaml
from _dvc_graph import KEY, GraphError, read_graph
from _plan import BAD_INPUT, NOTHING_TO_DO
from dvc.repo import Repo

from eegdiffusion.core.runtime.errors import EXIT_BAD_INPUT, EXIT_NOTHING_TO_DO
from eegdiffusion.core.runtime.names import PATTERN
from tests.dags.airflow_home import DAGS, ROOT
from tests.hostile_params import HOSTILE, TOO_MUCH

META = "meta: {airflow: {gpus: 0, cpus: 1, memory_gb: 1, shm_gb: 1, retries: 1, timeout_min: 5}}"


def dvcs_graph(path):
    """Names, edges from upstream to downstream, commands and paths, as DVC resolves them."""
    with Repo(str(path)) as repo:
        stages = {stage.name: stage for stage in repo.index.stages}
        edges = {(upstream.name, stage.name) for stage, upstream in repo.index.graph.edges}
        return (
            set(stages),
            edges,
            {name: stage.cmd for name, stage in stages.items()},
            {name: {out.def_path for out in stage.outs} for name, stage in stages.items()},
        )


def our_graph(path):
    graph = read_graph(path)
    stages = graph.stages
    return (
        set(stages),
        set(graph.edges),
        {name: s.command[0] if len(s.command) == 1 else list(s.command) for name, s in stages.items()},
        {name: set(stage.outs) for name, stage in stages.items()},
    )


def repository(path, stages, params="{}"):
    (path / "dvc.yaml").write_text(f"stages:\n{stages}")
    (path / "params.yaml").write_text(params)
    Repo.init(str(path), no_scm=True).close()
    return path


def test_graph_of_this_repository_is_dvcs():
    assert our_graph(ROOT) == dvcs_graph(ROOT)


ODD = {
    "matrix and foreach feed each other": (
        f"""
  a:
    foreach: ${{sets}}
    do:
      cmd: echo ${{item.x}} ${{key}}
      outs:
        - out/a/${{key}}
      {META}
  b:
    matrix:
      set: ${{names}}
      rate: [0.5, 2]
      flag: [true, false]
    cmd: echo ${{item.set}} ${{item.rate}} ${{item.flag}}
    deps:
      - out/a/${{item.set}}
    outs:
      - out/b/${{item.set}}/${{item.rate}}-${{item.flag}}
    {META}
  c:
    foreach: [1, true, x-y]
    do:
      cmd: echo ${{item}}
      deps: [out/b]
      {META}
""",
        "names: [p, q]\nsets: {p: {x: 1}, q: {x: 2}}",
    ),
    "lists of mappings are numbered": (
        f"""
  a:
    foreach: ${{sets}}
    do:
      cmd: echo ${{item.x}}
      {META}
  b:
    matrix:
      pick: ${{sets}}
      n: [1]
    cmd: echo ${{item.pick.x}} ${{sets[1].x}}
    {META}
""",
        "sets: [{x: 1}, {x: 2}]",
    ),
    "paths overlap both ways, and only by whole parts": (
        f"""
  whole:
    cmd: echo
    outs: [data/whole]
    {META}
  parts:
    cmd: echo
    outs:
      - data/parts/one: {{persist: true}}
      - data/parts/two: {{cache: false}}
    {META}
  inside: {{cmd: echo, deps: [data/whole/deep/file, data/wholesome], {META}}}
  around: {{cmd: echo, deps: [./data/parts/], {META}}}
  everything: {{cmd: [echo, echo], deps: [data/../data], {META}}}
  still: {{cmd: echo, deps: [data/whole], frozen: true, {META}}}
""",
        "{}",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_graphs_are_dvcs(case, tmp_path):
    path = repository(tmp_path, *ODD[case])
    found = our_graph(path)
    assert found == dvcs_graph(path)
    assert found[0]


REFUSED = {
    "  a: {cmd: echo, wdir: there, META}": "dvc.yaml: a: wdir: not supported",
    "  a: {cmd: echo, always_changed: true, META}": "dvc.yaml: a: always_changed: not supported",
    "  a: {cmd: echo, metrics: [m.json], META}": "dvc.yaml: a: metrics: not supported",
    "  a: {cmd: echo, params: [{other.yaml: [x]}], META}": "dvc.yaml: a: params: a file other than params.yaml",
    "  a: {foreach: [1], do: {cmd: echo, vars: [x], META}}": "dvc.yaml: a: do: vars: not supported",
    "  a: {cmd: 'echo ${missing.x}', META}": "dvc.yaml: a: cmd: ${missing.x}: is not in params.yaml",
    "  a: {cmd: echo}": "dvc.yaml: a: meta.airflow: is missing",
}


@pytest.mark.parametrize("stages", REFUSED)
def test_what_is_not_supported_is_named(stages, tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages:\n" + stages.replace("META", META))
    with pytest.raises(GraphError, match=REFUSED[stages].replace("$", r"\$").replace("{", r"\{")):
        read_graph(tmp_path)


def test_anchors_and_merges_are_read(tmp_path):
    (tmp_path / "dvc.yaml").write_text(
        f"stages:\n  a: {{cmd: echo, {META.replace('airflow: {', 'airflow: &day {')}}}\n"
        "  b: {cmd: echo, meta: {airflow: *day}}\n"
        "  c: {cmd: echo, meta: {airflow: {<<: *day, cpus: 4}}}\n"
    )
    a, b, c = (stage.resources for stage in read_graph(tmp_path).stages.values())
    assert a == b
    assert c == replace(a, cpus=4)


def test_exit_statuses_are_those_of_the_library():
    """The DAGs import nothing of it, and have a copy."""
    assert (BAD_INPUT, NOTHING_TO_DO) == (EXIT_BAD_INPUT, EXIT_NOTHING_TO_DO)


def test_unknown_sections_are_named(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {}\nvars: [x.yaml]\n")
    with pytest.raises(GraphError, match=r"dvc\.yaml: vars: not supported"):
        read_graph(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("cpus: 1, ", ""), "dvc.yaml: a: meta.airflow: cpus: is missing"),
        (("cpus: 1", "cpus: 1, gpu: 1"), "dvc.yaml: a: meta.airflow: gpu: unknown key"),
        (("cpus: 1", "cpus: many"), "dvc.yaml: a: meta.airflow: cpus: must be an integer of at least 1"),
        (("cpus: 1", "cpus: true"), "dvc.yaml: a: meta.airflow: cpus: must be an integer of at least 1"),
        (("retries: 1", "retries: -1"), "dvc.yaml: a: meta.airflow: retries: must be an integer of at least 0"),
    ],
)
def test_resources_are_checked(change, message, tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages:\n  a: {cmd: echo, " + META.replace(*change) + "}")
    with pytest.raises(GraphError, match=message):
        read_graph(tmp_path)


def test_reading_imports_neither_airflow_nor_dvc():
    code = (
        f"import sys; sys.path.insert(0, {str(DAGS)!r}); import _dvc_graph, _plan, _settings; "
        f"_plan.plan(_dvc_graph.read_graph('.'), '.', 'x', ()); "
        "print({'airflow', 'dvc', 'torch', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("case", TOO_MUCH)
def test_params_that_ask_for_too_much_are_refused(case, tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "params.yaml").write_text(TOO_MUCH[case])
    with pytest.raises(GraphError, match=r"params\.yaml: (must have at most|not valid YAML)"):
        read_graph(tmp_path)


@pytest.mark.parametrize("kind", ["foreach: '${names}'", "foreach: '${keys}'", "matrix: {x: '${names}'}"])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_hostile_name_becomes_a_task(name, kind, tmp_path):
    """Airflow fills its templates in the words of a task's command."""
    assert KEY.pattern == PATTERN  # the DAGs import nothing of the library
    body = f"{{cmd: echo, {META}}}"
    stage = f"{{{kind}, do: {body}}}" if "foreach" in kind else f"{{{kind}, {body[1:]}"
    (tmp_path / "dvc.yaml").write_text(f"stages:\n  a: {stage}")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"names": [name], "keys": {name: 1}}))
    with pytest.raises(GraphError, match=r"dvc\.yaml: a: (foreach|matrix: x): an item must be of letters") as error:
        read_graph(tmp_path)
    assert str(error.value).isprintable()
