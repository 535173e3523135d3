"""The code that decides a result: found from import statements, hashed into resumption keys."""

import shutil

import pytest

from components.ingest_images.compute import READERS
from eegdiffusion.core.runtime.closure import PACKAGES, ROOT, closure, code_hash, code_of, stage_code_hash
from eegdiffusion.events.corpora.preprocess_recording import preprocess
from eegdiffusion.images.corpora.subject_epochs import write_subject


@pytest.fixture
def copy(tmp_path):
    """A copy of the code, to be edited."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def edit(root, file):
    path = root / file
    path.write_text(path.read_text() + "\n# edited\n")


@pytest.mark.parametrize(
    "file",
    [
        "eegdiffusion/core/signal/band.py",
        "eegdiffusion/core/signal/whitening.py",
        "eegdiffusion/core/storage/pickles/mapped_pickle.py",
        "eegdiffusion/images/corpora/eegcvpr40.py",
        "eegdiffusion/images/epochs/epoch_store.py",
    ],
)
def test_an_edit_of_what_decides_the_epochs_changes_the_key_of_an_interrupted_ingestion(copy, file):
    modules = write_subject.__module__, *READERS
    assert code_hash(*modules, root=copy) == (before := code_hash(*modules))
    edit(copy, file)
    assert code_hash(*modules, root=copy) != before


@pytest.mark.parametrize(
    "file", ["core/signal/filtering.py", "core/signal/montage.py", "core/recordings/edf_header.py"]
)
def test_an_edit_of_what_decides_a_recording_changes_the_key_of_an_interrupted_preprocessing(copy, file):
    before = code_hash(preprocess.__module__)
    edit(copy, f"eegdiffusion/{file}")
    assert code_hash(preprocess.__module__, root=copy) != before


def test_an_edit_of_other_code_changes_no_key(copy):
    before = code_hash(preprocess.__module__), stage_code_hash("preprocess_events")
    edit(copy, "eegdiffusion/images/corpora/things_eeg2.py")
    edit(copy, "eegdiffusion/core/observe/tracking/journal.py")
    assert (code_hash(preprocess.__module__, root=copy), stage_code_hash("preprocess_events", root=copy)) == before


def test_a_new_import_is_followed_in_the_same_process(copy):
    before = code_of("preprocess_events", root=copy)
    path = copy / "eegdiffusion/core/signal/filtering.py"
    path.write_text(path.read_text() + "\ndef late():\n    from eegdiffusion.core.signal import whitening\n")
    added = {file.as_posix() for file in code_of("preprocess_events", root=copy) - before}
    assert "eegdiffusion/core/signal/whitening.py" in added


def test_a_circle_of_imports_ends(tmp_path):
    package = tmp_path / "eegdiffusion"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.py").write_text("from eegdiffusion import b\n")
    (package / "b.py").write_text("import eegdiffusion.a\n")
    (start,) = {path.relative_to(tmp_path) for path in package.glob("a.py")}
    assert {path.name for path in closure(start, root=tmp_path)} == {"a.py", "b.py"}


def test_an_unknown_module_is_refused():
    with pytest.raises(ValueError, match=r"eegdiffusion\.core\.nowhere: not a module of"):
        code_hash("eegdiffusion.core.nowhere")
