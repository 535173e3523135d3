import hashlib
import os
import zipfile

import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.packages import Package, extract, fetch


def make_wheel(folder, name="tiny_data-1.0-py3-none-any.whl", text="1,2,3\n"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_data/values.csv", text)
        archive.writestr("tiny_data/other.csv", "4\n")
    return path


def pin(wheel, name="tiny-data"):
    return Package(name=name, version="1.0", sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())


@pytest.fixture
def offline(monkeypatch):
    """Pip without any index to ask."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("DEMO_WHEELS", raising=False)


def test_local_folder_comes_first(tmp_path, monkeypatch, offline):
    wheel = make_wheel(tmp_path / "wheels")
    make_wheel(tmp_path / "cache", text="something else")
    monkeypatch.setenv("DEMO_WHEELS", str(wheel.parent))
    assert fetch(pin(wheel), tmp_path / "cache") == wheel


def test_cached_wheel_needs_no_network(tmp_path, offline):
    wheel = make_wheel(tmp_path)
    assert fetch(pin(wheel), tmp_path) == wheel


def test_download_enters_cache_whole(tmp_path, monkeypatch, offline):
    wheel = make_wheel(tmp_path / "index")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    # Pip reads the metadata of what it downloads.
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tiny_data-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n")
        archive.writestr("tiny_data-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_data-1.0.dist-info/RECORD", "")
    cache = tmp_path / "cache"
    found = fetch(pin(wheel), cache)
    assert found.read_bytes() == wheel.read_bytes()
    assert list(cache.iterdir()) == [found]


def test_offline_message_says_what_and_how(tmp_path, offline):
    package = Package(name="tiny-data", version="1.0", sha256="ab" * 32)
    with pytest.raises(InputError) as error:
        fetch(package, tmp_path)
    for part in ("tiny-data==1.0", "ab" * 32, "pip download --no-deps", "DEMO_WHEELS"):
        assert part in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("local", [True, False])
def test_wrong_sha256_is_refused(tmp_path, monkeypatch, offline, local):
    wheel = make_wheel(tmp_path)
    if local:
        monkeypatch.setenv("DEMO_WHEELS", str(tmp_path))
    with pytest.raises(InputError, match=f"tiny_data.*sha256 must be {'ab' * 32}"):
        fetch(Package(name="tiny-data", version="1.0", sha256="ab" * 32), tmp_path)
    assert wheel.exists()


def test_missing_local_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("DEMO_WHEELS", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="DEMO_WHEELS: must be a folder"):
        fetch(Package(name="tiny-data", version="1.0", sha256="ab" * 32), tmp_path)


def test_extract_keeps_what_is_whole_and_mends_what_is_not(tmp_path):
    wheel = make_wheel(tmp_path)
    folder = tmp_path / "members"
    (path,) = extract(wheel, ["tiny_data/values.csv"], folder)
    assert path.read_text() == "1,2,3\n"
    assert not (folder / "tiny_data/other.csv").exists()
    written = path.stat().st_mtime_ns
    extract(wheel, ["tiny_data/values.csv"], folder)
    assert path.stat().st_mtime_ns == written
    path.write_text("1,2")
    extract(wheel, ["tiny_data/values.csv"], folder)
    assert path.read_text() == "1,2,3\n"
    assert [p.name for p in path.parent.iterdir()] == ["values.csv"]


def test_extract_names_a_missing_member(tmp_path):
    with pytest.raises(InputError, match=r"no member 'absent\.csv'"):
        extract(make_wheel(tmp_path), ["absent.csv"], tmp_path)
