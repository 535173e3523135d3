"""A version runs its own code: the library that it was registered with, not the one that this process has imported.

MLflow's servers run a version in a process that has no other ``eegdiffusion``. A command has the library in use; MLflow
would mix the two, and take from the version only what is not imported yet. Here the version's modules stand apart.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

import eegdiffusion
from eegdiffusion.core.runtime import errors
from eegdiffusion.operations.registry.version_files import CODE, files_below

PACKAGE = eegdiffusion.__name__


def is_library_in_use(folder: Path) -> bool:
    """Whether the modules of a version are those that this process imports, byte for byte.

    A version has what its model imports, not the whole library.
    """
    used = _library_in_use()
    return all(Path(path).read_bytes() == used.get(name) for name, path in files_below(folder / CODE).items())


@cache
def _library_in_use() -> dict[str, bytes]:
    """Return the library's files as they are when a model is first loaded: what is imported does not change later."""
    return {name: Path(path).read_bytes() for name, path in files_below(Path(eegdiffusion.__file__).parent).items()}


class VersionCode:
    """The modules of a version's own library.

    Args:
        folder: the version's files.
    """

    _lock = Lock()

    def __init__(self, folder: Path):
        self._path = str((folder / CODE).parent)
        self._own: dict[str, ModuleType] = {}
        self._aside: dict[str, ModuleType] = {}
        self._users = 0

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let imports of the library find the version's own modules while the block runs, in several threads or one.

        Errors that the version raises for its user become those of the library in use.
        """
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._aside = _take_modules()
                sys.modules.update(self._own)
                sys.path.insert(0, self._path)
        try:
            yield
        except Exception as error:
            if type(error).__module__ == errors.__name__ and not isinstance(error, errors.InputError):
                known = getattr(errors, type(error).__name__, errors.InputError)
                raise known(str(error)) from error
            raise
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._own = _take_modules()
                    sys.modules.update(self._aside)
                    sys.path[:] = [path for path in sys.path if path != self._path]


def _take_modules() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]
    return {name: sys.modules.pop(name) for name in names}


class RunsApart:
    """A loaded model whose methods run with the version's own code.

    Args:
        wrapped: a loaded model, or what it wraps.
        code: the version's code.
    """

    def __init__(self, wrapped: Any, code: VersionCode):
        self._wrapped, self._code = wrapped, code

    def __dir__(self) -> list[str]:
        return dir(self._wrapped)

    def __getattr__(self, name: str) -> Any:
        with self._code.active():
            value = getattr(self._wrapped, name)
        if not callable(value):
            return value

        def call(*arguments: Any, **options: Any) -> Any:
            with self._code.active():
                result = value(*arguments, **options)
            return RunsApart(result, self._code) if name == "unwrap_python_model" else result

        return call
