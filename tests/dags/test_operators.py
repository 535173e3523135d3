"""Operators of the three runtimes, built from the real graph."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from _build_dag import SLUG
from _dvc_graph import GraphError, Resources, read_graph
from _execution_environments import choose_workspace
from _operators import BUILDERS, operator
from _plan import SMALL, Task, plan
from _settings import Settings
from airflow.sdk import DAG

from eegdiffusion.core.runtime import contract, stage_hardware
from tests.dags.airflow_home import DAGS, ROOT, git, stub

GIB = 2**30
POOLS = json.loads((DAGS / "pools.json").read_text())
STAGES = list(read_graph(ROOT).stages)


def graph_on(folder, hardware):
    """The real graph, with another section ``hardware`` than the demo's, which runs on the CPU."""
    shutil.copy(ROOT / "dvc.yaml", folder)
    params = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"hardware": hardware}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return read_graph(folder)


def operators(graph, runtime, **settings):
    """Operators by name of the stage, with the stage."""
    chosen = Settings(repository=str(ROOT), runtime=runtime, **settings)
    workspace = choose_workspace(chosen, list(graph.stages))
    tasks = plan(graph, ROOT, workspace.run, workspace.stage).tasks
    with DAG(f"all_{runtime}", schedule=None, user_defined_filters=SLUG):
        found = {
            name: operator(Task(**vars(task) | {"id": task.path.replace(".", "__")}), chosen)
            for name, task in tasks.items()
        }
    return {name: (found[name], graph.stages[name]) for name in found}


KUBE_CONFIG = """
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: nobody, user: {}}]
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    config = tmp_path_factory.mktemp("kube") / "config"
    config.write_text(KUBE_CONFIG)
    graph = graph_on(tmp_path_factory.mktemp("graph"), {"accelerator": "auto"})
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)  # which MLflow sets in a process that asked it
        return {
            runtime: operators(graph, runtime, gpus="4,5,6", mounts="/data/tuev", kube_config=str(config))
            for runtime in BUILDERS
        }


def test_a_runtime_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="EEG_RUNTIME: 'slurm' is none of process, docker, kubernetes"):
        operator(Task("a", ("true",), "/", SMALL), Settings(runtime="slurm"))


@pytest.mark.parametrize("runtime", BUILDERS)
@pytest.mark.parametrize("name", STAGES)
def test_every_runtime_bounds_what_a_stage_takes(built, runtime, name):
    made, stage = built[runtime][name]
    wanted = stage.resources
    assert made.pool == ("gpu" if wanted.gpus else "cpu")
    assert made.pool_slots == (wanted.gpus or wanted.cpus) <= POOLS[made.pool]["slots"]
    assert made.retries == wanted.retries
    assert made.retry_exponential_backoff == 2.0
    assert made.execution_timeout == timedelta(minutes=wanted.timeout_min)
    assert made.on_failure_callback
    assert not made.do_xcom_push


@pytest.mark.parametrize("name", STAGES)
def test_process(built, name):
    made, _ = built["process"][name]
    assert made.command == ["python", "-m", "eegdiffusion.operations.orchestration.run_stage", name]
    assert made.folder == f"{ROOT}/runs/{{{{ run_id | slug }}}}"
    assert made.environment["PATH"].startswith(f"{Path(sys.executable).parent}:")


@pytest.mark.parametrize("name", STAGES)
def test_docker(built, name):
    made, stage = built["docker"][name]
    assert made.command == ["python", "-m", "eegdiffusion.operations.orchestration.run_stage", name]
    assert made.image == f"eeg-workflow-{contract.read(stage.base).image}"
    assert made.shm_size == stage.resources.shm_gb * GIB
    assert made.mem_limit == f"{stage.resources.memory_gb}g"
    assert made.gpus == stage.resources.gpus
    assert made.gpu_ids == ["4", "5", "6"]
    assert not made.mount_tmp_dir
    assert not made.retrieve_output
    assert made.auto_remove == "force"
    assert not made.mounts, "they are chosen when it starts"
    own = [f"{ROOT}/{name}" for name in ("runs", ".dvc/cache", "models/champions", "models/runs", "mlruns")]
    assert made.written == [*own, "/data/tuev"]
    assert made.environment["EEG_BRANCHES"] == f"{ROOT}/runs/.branches.git"
    assert "working_dir" in made.template_fields


def test_tasks_are_told_the_server_of_lineage_and_its_key_stays_secret(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENLINEAGE_URL", "http://lineage:5000")
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "secret")
    (tmp_path / "config").write_text(KUBE_CONFIG)
    for runtime, more in (("docker", {}), ("kubernetes", {"kube_config": str(tmp_path / "config")})):
        task, _ = operators(read_graph(ROOT), runtime, **more)["report"]
        variables = task.env_vars if runtime == "kubernetes" else task.environment
        assert variables["OPENLINEAGE_URL"] == "http://lineage:5000"
        assert "OPENLINEAGE_API_KEY" not in variables
        if runtime == "docker":
            assert task._private_environment["OPENLINEAGE_API_KEY"] == "secret"


def test_docker_names_a_container_after_installation_run_and_stage():
    container_name = importlib.import_module("_docker").container_name
    assert container_name("0a1b2c3d", "manual__2026-01-01T00:00:00+00:00", "finetune_lft.recorded-0") == (
        "eeg-0a1b2c3d-manual__2026-01-01T00-00-00-00-00-finetune_lft.recorded-0"
    )


def test_an_installation_is_known_by_the_real_path_as_the_services_know_it(tmp_path):
    (tmp_path / "one" / "docker").mkdir(parents=True)
    (tmp_path / "two" / "docker").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "one")
    one, two, link = (Settings(repository=str(tmp_path / name)).installation for name in ("one", "two", "link"))
    assert one == link != two
    script = f". {ROOT}/docker/installation.sh; echo $installation"
    for name in ("one", "link"):
        said = subprocess.run(["bash", "-c", script], cwd=tmp_path / name / "docker", capture_output=True, text=True)
        assert said.stdout.strip() == one, said.stderr


def test_pods_and_containers_carry_the_installation(built):
    installation = Settings(repository=str(ROOT)).installation
    pod, _ = built["kubernetes"]["report"]
    assert pod.labels["eeg-installation"] == installation
    instance = SimpleNamespace(dag_id="d", task_id="t", map_index=-1, try_number=1)
    selector = pod._build_find_pod_label_selector({"ti": instance, "run_id": "r", "dag": pod.dag})
    assert f"eeg-installation={installation}" in selector, "another's pod is not adopted"
    assert built["docker"]["report"][0].installation == installation


@pytest.mark.parametrize("runtime", BUILDERS)
def test_a_task_knows_its_cores(built, runtime):
    made, stage = built[runtime]["pretrain_ssmdp@base"]
    if runtime == "kubernetes":
        variables = {entry.name: entry.value for entry in made.build_pod_request_obj().spec.containers[0].env}
    else:
        variables = made.environment
    assert variables["EEG_TASK_CPUS"] == str(stage.resources.cpus)


@pytest.mark.parametrize(
    ("runtime", "gpus", "expected"),
    [
        ("docker", "", []),
        ("docker", " ", []),
        ("docker", "0", ["0"]),
        ("docker", "1, 3", ["1", "3"]),
        ("docker", ",1,", ["1"]),
        ("docker", "0,0", ["0"]),
        ("docker", "GPU-5a1b2c3d,MIG-7f/1/0", ["GPU-5a1b2c3d", "MIG-7f/1/0"]),
        ("process", "", []),
    ],
)
def test_an_empty_list_of_gpus_is_none(monkeypatch, runtime, gpus, expected):
    monkeypatch.setenv("EEG_GPUS", gpus)
    settings = Settings(runtime=runtime)
    assert settings.gpu_ids == expected
    assert settings.has_gpus == bool(expected)


@pytest.mark.parametrize("gpus", ["all", "none", "-1", "0-3", "0 1", "0;1", "../0"])
def test_what_is_no_id_of_a_gpu_is_refused(monkeypatch, gpus):
    monkeypatch.setenv("EEG_GPUS", gpus)
    with pytest.raises(ValueError, match="EEG_GPUS: must be ids of GPUs"):
        Settings(runtime="docker")


def test_without_a_list_the_host_or_the_cluster_says_whether_there_are_gpus(monkeypatch):
    monkeypatch.delenv("EEG_GPUS", raising=False)
    for visible, expected in (("0,1", ["0", "1"]), ("", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert Settings(runtime="docker").gpu_ids == expected
        assert Settings(runtime="kubernetes").has_gpus
    monkeypatch.setenv("EEG_GPUS", "")
    assert not Settings(runtime="kubernetes").has_gpus


def test_without_gpus_stages_wait_for_cores(tmp_path):
    graph = graph_on(tmp_path, {"accelerator": "auto"})
    tasks = plan(graph, ROOT, "x", (), with_gpus=False).tasks
    assert all(task.pool == "cpu" and task.slots == task.resources.cpus for task in tasks.values())
    assert any(stage.resources.gpus for stage in graph.stages.values())


@pytest.mark.parametrize("hardware", [{"accelerator": "gpu"}, {"accelerator": "auto"}, {}])
def test_stages_that_may_run_on_a_gpu_wait_for_one(tmp_path, hardware):
    gpus = {stage.base: stage.resources.gpus for stage in graph_on(tmp_path, hardware).stages.values()}
    assert gpus["pretrain_ssmdp"] == gpus["cache_latents"] == 1
    assert gpus["ingest_events"] == gpus["report"] == 0
    assert not any(stage.resources.gpus for stage in graph_on(tmp_path, {"accelerator": "cpu"}).stages.values())


HARDWARE = {
    "accelerator": "gpu", "devices": 4, "timeout_min": 20160,
    "stages": {"finetune_lft": {"devices": 1, "memory_gb": 64, "shm_gb": 16, "timeout_min": 90},
               "train_baselines": {"accelerator": "cpu", "cpus": 3}},
}  # fmt: skip


def test_what_hardware_says_of_all_and_of_a_stage_is_what_its_task_takes(tmp_path):
    resources = {stage.base: stage.resources for stage in graph_on(tmp_path, HARDWARE).stages.values()}
    assert resources["pretrain_ssmdp"] == Resources(4, 8, 32, 8, 3, 20160)
    assert resources["finetune_lft"] == Resources(1, 8, 64, 16, 3, 90)
    assert resources["train_baselines"] == Resources(0, 3, 32, 8, 3, 20160)
    assert resources["cache_latents"].gpus == 1, "it computes on one device, whatever trainings have"
    assert resources["ingest_events"].gpus == 0


@pytest.mark.parametrize("runtime", BUILDERS)
def test_four_devices_are_the_same_four_everywhere(tmp_path, runtime):
    """Containers, pods, Airflow's pool, the leases of processes and Lightning have one number."""
    (tmp_path / "config").write_text(KUBE_CONFIG)
    graph = graph_on(tmp_path, HARDWARE)
    made, stage = operators(graph, runtime, gpus="0,1,2,3", kube_config=str(tmp_path / "config"))["pretrain_ssmdp@base"]
    assert (made.pool, made.pool_slots) == ("gpu", 4)
    if runtime == "docker":
        assert made.gpus == 4
    if runtime == "kubernetes":
        assert made.container_resources.limits["nvidia.com/gpu"] == "4"
        assert made.env_vars["EEG_LEASED_GPUS"] == ""
    section = yaml.safe_load((tmp_path / "params.yaml").read_text())["hardware"]
    hardware = stage_hardware.hardware_of(section, "pretrain_ssmdp")
    assert stage_hardware.gpus_of(hardware, stage.params, 1) == hardware["devices"] == 4


@pytest.mark.parametrize(
    ("hardware", "message"),
    [
        ({"devices": "2"}, "params.yaml: hardware.devices: must be an integer of at least 1 (found '2')"),
        ({"stages": {"report": {"timeout_min": 0}}}, "params.yaml: hardware.timeout_min: must be an integer of"),
        ({"stages": {"report": 4}}, "params.yaml: hardware.stages: must be a mapping of fields by stage (found 4)"),
        ([], "params.yaml: hardware: must be a mapping"),
    ],
)
def test_hardware_that_cannot_be_is_refused(tmp_path, hardware, message):
    with pytest.raises(GraphError, match=re.escape(message)):
        graph_on(tmp_path, hardware or ["gpu"])


def test_more_gpus_than_there_are_fail_at_once():
    from airflow.sdk.exceptions import AirflowFailException

    wide = Task("wide", ("true",), "/", Resources(gpus=2, cpus=1, memory_gb=1, shm_gb=1, retries=3, timeout_min=1))
    with DAG("wide", schedule=None):
        made = operator(wide, Settings(runtime="docker", gpus="0"))
    with pytest.raises(AirflowFailException, match=r"wide: meta\.airflow: gpus: asks for 2, and EEG_GPUS names 1"):
        made.execute({"run_id": "r"})


def test_docker_asks_for_gpus_by_id():
    (request,) = importlib.import_module("_docker").device_requests(["5", "6"])
    assert request["DeviceIDs"] == ["5", "6"]
    assert request["Count"] == 0
    assert request["Capabilities"] == [["gpu"]]
    assert importlib.import_module("_docker").device_requests([]) == []


@pytest.mark.parametrize("name", STAGES)
def test_kubernetes_pods(built, name):
    from kubernetes.client import ApiClient, V1Pod
    from kubernetes.client import models as k8s

    made, stage = built["kubernetes"][name]
    pod = made.build_pod_request_obj()
    assert isinstance(pod, V1Pod)
    assert pod.metadata.name.startswith(f"eeg-{stage.base.replace('_', '-')}")
    (container,) = pod.spec.containers
    assert isinstance(container.resources, k8s.V1ResourceRequirements)
    gpus = {"nvidia.com/gpu": str(stage.resources.gpus)} if stage.resources.gpus else {}
    assert container.resources.limits == gpus | {
        "cpu": str(stage.resources.cpus),
        "memory": f"{stage.resources.memory_gb}Gi",
    }
    volumes = {volume.name: volume for volume in pod.spec.volumes}
    assert volumes["shm"].empty_dir.medium == "Memory"
    assert volumes["shm"].empty_dir.size_limit == f"{stage.resources.shm_gb}Gi"
    assert volumes["work"].persistent_volume_claim.claim_name == "eeg-workflow"
    assert {mount.name: mount.mount_path for mount in container.volume_mounts} == {
        "work": str(ROOT.parent),
        "shm": "/dev/shm",
        "tmp": "/tmp",
    }
    assert pod.spec.automount_service_account_token is False
    assert container.security_context.allow_privilege_escalation is False
    assert container.security_context.read_only_root_filesystem
    assert container.security_context.capabilities.drop == ["ALL"]
    assert container.args[-1] == name
    assert made.random_name_suffix
    # What the API would be sent can be read back as its own types.
    document = ApiClient().sanitize_for_serialization(pod)
    reply = type("Reply", (), {"data": json.dumps(document)})()
    assert ApiClient().sanitize_for_serialization(ApiClient().deserialize(reply, "V1Pod")) == document


def test_pods_without_a_shared_file_system_clone_their_branch(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    config = tmp_path / "config"
    config.write_text(KUBE_CONFIG)
    url = "https://git.example.org/eeg.git"
    template = str(ROOT / "docker" / "k8s" / "pod_template.yaml")
    more = {"git_url": url, "data": "tuev:/data/tuev", "state_claim": "kept", "pod_template": template}
    graph = graph_on(tmp_path, {"accelerator": "auto"})
    found = operators(graph, "kubernetes", kube_config=str(config), **more)
    made, _ = found["pretrain_ssmdp@base"]
    made.render_template_fields({"run_id": "scheduled__2026-01-01T00:00:00+00:00"}, made.dag.get_template_env())
    pod = made.build_pod_request_obj()
    (container,) = pod.spec.containers
    assert container.command[-1] == "retrain/scheduled__2026-01-01T00-00-00-00-00"
    assert container.args == [
        "python",
        "-m",
        "eegdiffusion.operations.orchestration.isolated",
        "stage",
        "pretrain_ssmdp@base",
    ]
    variables = {variable.name: variable.value for variable in container.env}
    assert variables["EEG_GIT_URL"] == url
    assert variables["EEG_CHECKPOINTS"] == "/state/checkpoints"
    claims = {v.name: v.persistent_volume_claim.claim_name for v in pod.spec.volumes if v.persistent_volume_claim}
    assert claims == {"state": "kept", "data-0": "tuev"}
    mounts = {mount.mount_path: mount.read_only for mount in container.volume_mounts}
    assert mounts == {"/dev/shm": False, "/tmp": False, "/workspace": False, "/state": False, "/data/tuev": True}
    assert pod.spec.automount_service_account_token is False
    assert pod.spec.security_context.run_as_non_root
    assert pod.spec.tolerations[0].key == "nvidia.com/gpu"
    assert container.security_context.capabilities.drop == ["ALL"]
    assert container.resources.limits["nvidia.com/gpu"] == "1"
    assert pod.metadata.labels["app.kubernetes.io/part-of"] == "eeg-workflow"


def test_an_image_has_the_tag_that_it_is_given():
    assert Settings(image="r/eeg").image_of("train") == "r/eeg-train"
    assert Settings(image="r/eeg", image_tag="0.1.0").image_of("data") == "r/eeg-data:0.1.0"


def test_the_command_of_a_clone_really_clones(tmp_path):
    clone = importlib.import_module("_kubernetes").CLONE.replace("/workspace/clone", str(tmp_path / "clone"))
    remote = stub(tmp_path / "remote", "stages: {}\n", "{}\n")
    git(remote, "checkout", "-qb", "retrain/r1")
    git(remote, "commit", "-q", "--allow-empty", "-m", "the run")
    git(remote, "checkout", "-q", "main")
    for branch, last in (("retrain/r1", "the run"), ("", "start")):
        words = ["sh", "-c", clone, branch, "git", "log", "-1", "--format=%s"]
        done = subprocess.run(words, env=os.environ | {"EEG_GIT_URL": str(remote)}, capture_output=True, text=True)
        assert done.stdout.strip() == last, done.stderr
        shutil.rmtree(tmp_path / "clone")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"git_url": "x", "runtime": "docker"},
            "EEG_GIT_URL: tasks in clones of their own need EEG_RUNTIME=kubernetes",
        ),
        ({"git_url": "x", "runtime": "kubernetes"}, "MLFLOW_TRACKING_URI: with EEG_GIT_URL it must be a server's"),
        ({"data": "tuev"}, "EEG_K8S_DATA: 'tuev' is not CLAIM:/FOLDER"),
    ],
)
def test_settings_that_cannot_work_are_named(settings, message, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ValueError, match=message):
        Settings(**settings)


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("EEG_CPUS", "many", "a whole number, 1 or more"),
        ("EEG_CPUS", "0", "a whole number, 1 or more"),
        ("EEG_CPUS", "2.5", "a whole number, 1 or more"),
        ("EEG_SLOW_HOURS", "1d", "a number, 0 or more"),
        ("EEG_RETRY_SECONDS", "-1", "a number, 0 or more"),
        ("EEG_RETRY_SECONDS", "inf", "a number, 0 or more"),
        ("EEG_SETTLE_SECONDS", "nan", "a number, 0 or more"),
        ("EEG_DRIFT_LIMIT", "0,25", "a number, 0 or more"),
        ("EEG_KEEP_RUNS", "all", "a whole number, 0 or more"),
        ("EEG_TRACKING_WAIT_SECONDS", "5 min", "a number, 0 or more"),
    ],
)
def test_a_variable_that_is_no_number_is_named(monkeypatch, name, text, rule):
    monkeypatch.setenv(name, text)
    with pytest.raises(ValueError, match=rf"{name}: must be {rule} \(found '{text}'\)"):
        Settings()


def test_other_kinds_of_stage_have_other_needs():
    many = Resources(gpus=2, cpus=8, memory_gb=64, shm_gb=16, retries=0, timeout_min=10)
    task = Task("wide", ("true",), "/", many)
    assert (task.pool, task.slots) == ("gpu", 2)


@pytest.mark.parametrize(
    ("keys", "names"), [("", []), ("verify", ["EEG_TRUSTED_KEYS"]), ("sign", ["EEG_SIGNING_KEY", "EEG_TRUSTED_KEYS"])]
)
def test_a_task_is_given_the_keys_that_it_needs_and_no_others(keys, names, tmp_path):
    task = Task("t", ("true",), str(tmp_path), keys=keys)
    (tmp_path / "config").write_text(KUBE_CONFIG)
    paths = {"EEG_SIGNING_KEY": "/home/me/site.pem", "EEG_TRUSTED_KEYS": "/home/me/trusted"}
    with DAG("keys", schedule=None):
        container = operator(
            task,
            Settings(runtime="docker", signing_key=paths["EEG_SIGNING_KEY"], trusted_keys=paths["EEG_TRUSTED_KEYS"]),
        )
        without = operator(
            Task("w", ("true",), str(tmp_path), keys=keys), Settings(runtime="docker", signing_key="", trusted_keys="")
        )
        kubernetes = Settings(runtime="kubernetes", kube_config=str(tmp_path / "config"))
        pod = operator(Task("p", ("true",), str(tmp_path), keys=keys), kubernetes).build_pod_request_obj()
    assert container.keys == [paths[name] for name in names], "mounted read-only when it starts"
    assert without.keys == []
    assert {name: value for name, value in container.environment.items() if name in paths} == {
        n: paths[n] for n in names
    }
    assert {name: value for name, value in without.environment.items() if name in paths} == dict.fromkeys(
        names, "/none"
    )
    variables = {entry.name: entry.value for entry in pod.spec.containers[0].env if entry.name in paths}
    assert sorted(variables) == names
    secrets = {volume.name: volume.secret.secret_name for volume in pod.spec.volumes if volume.secret}
    folders = {mount.name: (mount.mount_path, mount.read_only) for mount in pod.spec.containers[0].volume_mounts}
    wanted = {
        "EEG_SIGNING_KEY": ("signing-key", "eeg-signing-key"),
        "EEG_TRUSTED_KEYS": ("trusted-keys", "eeg-trusted-keys"),
    }
    assert secrets == dict(wanted[name] for name in names)
    for name in names:
        folder, read_only = folders[wanted[name][0]]
        assert read_only
        assert variables[name].startswith(folder)
