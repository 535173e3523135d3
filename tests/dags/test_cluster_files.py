"""The files of ``docker/k8s`` give a task and a service of a cluster no more than it needs."""

import re

import pytest
import yaml

from tests.dags.airflow_home import ROOT

FOLDER = ROOT / "docker" / "k8s"
DOCUMENTS = {path.name: list(yaml.safe_load_all(path.read_text())) for path in sorted(FOLDER.glob("*.yaml"))}
PODS = {
    "task": DOCUMENTS["pod_template.yaml"][0]["spec"],
    "mlflow": DOCUMENTS["mlflow.yaml"][0]["spec"]["template"]["spec"],
}
POLICIES = {policy["metadata"]["name"]: policy["spec"] for policy in DOCUMENTS["networkpolicy.yaml"]}


def test_no_image_is_of_a_tag_that_moves():
    images = re.findall(r"image: (\S+)", (FOLDER / "mlflow.yaml").read_text())
    assert images
    assert all(re.search(r":\d+\.\d+\.\d+$", image) for image in images)
    values = DOCUMENTS["values.yaml"][0]
    variables = {variable["name"]: variable["value"] for variable in values["env"]}
    assert values["images"]["airflow"]["tag"] == variables["EEG_IMAGE_TAG"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", variables["EEG_IMAGE_TAG"])
    assert "latest" not in "".join(path.read_text() for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_no_token_no_privilege_and_an_image_that_it_cannot_write_to(name):
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_who_starts_no_pod_has_no_token():
    values = DOCUMENTS["values.yaml"][0]
    for part in ("apiServer", "dagProcessor", "triggerer"):
        assert values[part]["serviceAccount"]["automountServiceAccountToken"] is False


def test_tasks_reach_mlflow_names_and_the_world_outside_and_nobody_reaches_them():
    everyone = POLICIES["nobody-comes-in"]
    assert everyone == {"podSelector": {}, "policyTypes": ["Ingress"]}
    tasks = POLICIES["tasks"]
    assert (
        tasks["podSelector"]["matchLabels"].items() <= DOCUMENTS["pod_template.yaml"][0]["metadata"]["labels"].items()
    )
    assert set(tasks["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in tasks
    ports = [{port["port"] for port in rule["ports"]} for rule in tasks["egress"]]
    assert ports == [{5000}, {53}, {443}]
    (outside,) = tasks["egress"][2]["to"]
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(outside["ipBlock"]["except"])


def test_mlflow_asks_for_accounts_and_every_secret_that_a_file_names_is_in_the_example():
    (container,) = PODS["mlflow"]["containers"]
    assert container["args"][-2:] == ["--app-name", "basic-auth"]
    named = {"eeg-workflow", *re.findall(r"secretRef: \{name: ([\w-]+)\}", (FOLDER / "mlflow.yaml").read_text())}
    named |= set(re.findall(r"[sS]ecretName: ([\w-]+)", (FOLDER / "mlflow.yaml").read_text()))
    named |= set(
        re.findall(r"(?:SecretName|credentialsSecret|Secret): (eeg-[\w-]+)", (FOLDER / "values.yaml").read_text())
    )
    assert named - {"eeg-git"} <= {document["metadata"]["name"] for document in DOCUMENTS["secret.example.yaml"]}
    for document in DOCUMENTS["secret.example.yaml"]:
        for name, value in document["stringData"].items():
            if re.search("PASSWORD|SECRET|key", name):
                assert value == "", name
