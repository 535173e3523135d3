"""One opener for each kind of file that could be hostile: nothing else in the project opens one by itself."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

OPENERS = {
    "a pickle": (
        r"(torch|pickle|joblib|dill|cloudpickle)\.loads?|pickle\.Unpickler|.*read_pickle",
        set(),
    ),
    "an array": (r"(np|numpy)\.(load|fromfile|memmap)", {
        "eegdiffusion/core/storage/array_file.py",
        "eegdiffusion/core/storage/pickles/mapped_pickle.py",
        "eegdiffusion/events/prediction/electrode_files.py",
    }),
    "an Arrow file": (r".*ipc\.(open|read)_.*|.*read_feather", {"eegdiffusion/core/storage/arrow_file.py"}),
    "a table in Parquet": (
        r"(pandas|pd)\.read_parquet|(parquet|pq)\.(read_.*|Parquet.*)",
        {"eegdiffusion/core/storage/parquet_file.py"},
    ),
    "safetensors": (r"(safetensors\.\w+\.)?(load_file|safe_open)", {
        "eegdiffusion/core/storage/safetensors_file.py",
        "eegdiffusion/core/training/checkpoint_io.py",
        "eegdiffusion/core/training/weights_file.py",
        "eegdiffusion/modules/weights_state.py",
    }),
    "YAML that makes objects": (r"yaml\.(unsafe|full)_load(_all)?", set()),
    "an archive to unpack": (r".*\.extractall|shutil\.unpack_archive", set()),
    "code": (r"(builtins\.)?(eval|exec|__import__)|os\.(system|popen)", {
        # Annotations of the settings of this clone's own stages, with the names that their file imports.
        "eegdiffusion/operations/configuration/sections.py",
    }),
}  # fmt: skip
"""What is opened, a regular expression of the call, and the files that may: those that bound it."""


@cache
def _calls() -> dict[str, set[str]]:
    """Return the dotted names that each file of the project calls."""
    sources = [path for folder in ("eegdiffusion", "components", "dags") for path in Path(folder).rglob("*.py")]
    return {
        path.as_posix(): {
            ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        }
        for path in sources
    }


@pytest.mark.parametrize("kind", OPENERS)
def test_nothing_but_its_opener_opens(kind):
    pattern, openers = OPENERS[kind]
    matches = {path for path, names in _calls().items() if any(re.fullmatch(pattern, name) for name in names)}
    assert matches == openers
