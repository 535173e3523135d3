"""Pretrained models are folders, or a commit of the hub, never what a name happens to stand for."""

import hashlib
import http.server
import json
import threading
from typing import ClassVar

import huggingface_hub.constants as hub
import pytest

from eegdiffusion.core.runtime.errors import InputError, UnavailableError
from eegdiffusion.core.storage.model_hub import model_folder, require_pinned

COMMIT, LATER = "1" * 40, "2" * 40
NAME = "lab/clip"
FILES = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "model.fp16.safetensors": b"half",
    "pytorch_model.bin": b"pickle",
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": b"unet",
    "vae/diffusion_pytorch_model.bin": b"pickle",
    "modeling.py": b"print('code')",
}


class Hub(http.server.BaseHTTPRequestHandler):
    """What the client asks of a hub that has one model with one commit, to which its name pointed once."""

    asked: ClassVar[list[str]] = []
    commits = (COMMIT,)

    def do_HEAD(self):
        self.asked.append(self.path)
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[0] == "api":
            commit = parts[5] if len(parts) > 5 else LATER
            files = [
                {"type": "file", "rfilename": name, "path": name, "size": len(FILES[name]), "oid": "0"}
                for name in FILES
            ]
            answer = files if "tree" in parts else {"id": NAME, "sha": commit, "siblings": files}
            self._answer(json.dumps(answer).encode(), commit)
        else:
            self._answer(FILES["/".join(parts[4:])], parts[3])

    do_GET = do_HEAD  # noqa: N815

    def _answer(self, body: bytes, commit: str) -> None:
        known = commit in self.commits
        self.send_response(200 if known else 404)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", hashlib.sha256(body).hexdigest())
        self.send_header("Content-Length", str(len(body) if known else 0))
        if not known:
            self.send_header("X-Error-Code", "RevisionNotFound")
        self.end_headers()
        if known and self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


def _move(monkeypatch, port: int) -> None:
    """Let the hub be at a port of this machine, and a try follow another at once."""
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setattr(
        hub, "HUGGINGFACE_CO_URL_TEMPLATE", hub.HUGGINGFACE_CO_URL_TEMPLATE.replace(hub.ENDPOINT, address)
    )
    monkeypatch.setattr(hub, "ENDPOINT", address)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)


@pytest.fixture
def served(tmp_path, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    _move(monkeypatch, server.server_port)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Hub, "asked", [])
    yield Hub.asked
    server.shutdown()
    server.server_close()


def _files(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_commit_is_fetched_as_safetensors_alone_and_then_found_on_the_disk(served):
    folder = model_folder(f"{NAME}@{COMMIT}", True, "embed_images.source", "a model")
    assert _files(folder) >= {"config.json", "model.safetensors"}
    assert not [name for name in _files(folder) if name.endswith((".bin", ".py")) or "fp16" in name]
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert served
    assert not [path for path in served if "main" in path], "what the name stands for now is not asked"
    served.clear()
    assert model_folder(f"{NAME}@{COMMIT}", False, "embed_images.source", "a model") == folder
    assert served == []


def test_of_a_pipeline_its_parts_are_fetched(served):
    folder = model_folder(f"{NAME}@{COMMIT}", True, "prepare_generator.pipeline", "a model", ("unet", "vae"))
    assert "unet/diffusion_pytorch_model.safetensors" in _files(folder)
    assert not _files(folder) & {"model.safetensors", "vae/diffusion_pytorch_model.bin"}


@pytest.mark.parametrize(
    "source",
    [
        NAME,
        f"{NAME}@main",
        f"{NAME}@v1.0",
        f"{NAME}@{COMMIT[:7]}",
        f"{NAME}@{COMMIT}0",
        "clip",
        f"../x/{NAME}@{COMMIT}",
        "",
        "/nowhere",
    ],
)
def test_a_name_without_its_commit_is_refused_and_nothing_is_asked(served, source):
    for download in (True, False):
        with pytest.raises(InputError, match=r"embed_images\.source: .*owner/name@<40 hexadecimal digits>"):
            model_folder(source, download, "embed_images.source", "a model")
    with pytest.raises(ValueError, match="with download: true"):
        require_pinned(source or None, True)
    require_pinned(source, False)
    assert served == []


def test_what_is_not_there_is_refused_by_name(served, monkeypatch):
    with pytest.raises(InputError, match=rf"{NAME}@{COMMIT}: is not in the hub's cache .*download: true"):
        model_folder(f"{NAME}@{COMMIT}", False, "embed_images.source", "a model")
    assert served == []
    with pytest.raises(InputError, match=rf"{NAME}@{LATER}: must be a model and commit that the hub gives"):
        model_folder(f"{NAME}@{LATER}", True, "embed_images.source", "a model")
    _move(monkeypatch, 9)
    with pytest.raises(UnavailableError, match=r"embed_images\.source: .*the hub does not answer"):
        model_folder(f"{NAME}@{LATER}", True, "embed_images.source", "a model")


def test_a_folder_is_taken_as_it_is(served, tmp_path):
    assert model_folder(str(tmp_path), True, "embed_images.source", "a model") == tmp_path
    require_pinned(str(tmp_path), True)
    assert served == []
