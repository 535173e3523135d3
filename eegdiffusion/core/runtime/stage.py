"""Runs one stage: settings in, declared inputs in, declared outputs out."""

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from eegdiffusion.core.runtime import contract as component
from eegdiffusion.core.runtime.errors import InputError, Unavailable
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.runtime.settings import load, section, validate

EXIT_BAD_INPUT = 65
"""Exit status (EX_DATAERR) of a stage that met bad input: a retry cannot help."""

EXIT_UNAVAILABLE = 75
"""Exit status (EX_TEMPFAIL) of a stage that a service kept waiting for too long: a later try goes on."""

WORK = Path(".work")


def _code_hash() -> str:
    """SHA-256 of the project's modules loaded so far."""
    total = hashlib.sha256()
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in ("components", "eegdiffusion") and getattr(module, "__file__", None):
            total.update(name.encode() + Path(module.__file__).read_bytes())
    return total.hexdigest()


class Stage:
    """One run of a stage.

    Every input, output and section of settings that ``component.yaml`` declares must be asked for exactly once, so
    that the contract, and with it ``dvc.yaml``, cannot promise what the code does not use.

    Attributes:
        name: the stage.
        item: values of the command-line arguments (one item of the stage's matrix).
    """

    def __init__(self, contract: component.Component, item: dict):
        self.name = contract.name
        self.item = item
        self._document = load()
        self._params = [component.resolve(name, item) for name in contract.params]
        self._inputs = {a.name: Path(component.resolve(a.path, item, self._document)) for a in contract.inputs}
        self._outputs = {a.name: Path(component.resolve(a.path, item, self._document)) for a in contract.outputs}
        self._left = {f"settings {p}" for p in self._params}
        self._left |= {f"input {n}" for n in self._inputs} | {f"output {n}" for n in self._outputs}

    @property
    def leader(self) -> bool:
        """Whether this process is the only one of the stage, or the first of a distributed run."""
        return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))

    def _take(self, kind: str, name: str) -> None:
        if f"{kind} {name}" not in self._left:
            raise AssertionError(f"{self.name}: {kind} {name!r} is not declared in component.yaml, or was taken twice")
        self._left.remove(f"{kind} {name}")

    def settings[T](self, cls: type[T], name: str | None = None) -> T:
        """Read a section of ``params.yaml`` (default: the one named like the stage) as the settings class ``cls``."""
        name = name or self.name
        self._take("settings", name)
        return validate(section(self._document, name), cls, f"params.yaml: {name}")

    def input(self, name: str) -> Path:
        """Return the path of a declared input; it must exist."""
        self._take("input", name)
        path = self._inputs[name]
        if not path.exists():
            raise InputError(f"{path}: input {name!r} of {self.name} does not exist; run `dvc repro` or `dvc pull`")
        return path

    def output(self, name: str) -> Path:
        """Return the path where a declared output goes; its parent exists, the output itself does not."""
        self._take("output", name)
        path = self._outputs[name]
        if self.leader:
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that this run depends on: item, settings, content of the inputs, and code."""
        parts = {
            "stage": self.name,
            "item": self.item,
            "params": {name: section(self._document, name) for name in self._params},
            "inputs": {name: content_hash(path) for name, path in self._inputs.items()},
            "code": _code_hash(),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @cached_property
    def work(self) -> Path:
        """Untracked folder for resuming this very run; removed once the stage has succeeded."""
        path = WORK / self.name / self.fingerprint[:16]
        path.mkdir(parents=True, exist_ok=True)
        return path

    @cached_property
    def shared_work(self) -> Path:
        """Untracked folder of the item for files that carry their own fingerprint; removed once it has succeeded."""
        path = WORK / self.name / "-".join(["shared", *map(str, self.item.values())])
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _finish(self) -> None:
        if not self.leader:
            return
        if self._left:
            left = ", ".join(sorted(self._left))
            raise AssertionError(f"{self.name}: declared in component.yaml and not used: {left}")
        missing = [str(path) for path in self._outputs.values() if not path.exists()]
        if missing:
            raise AssertionError(f"{self.name}: did not write {', '.join(missing)}")
        for name in ("work", "shared_work"):
            if name in self.__dict__:
                shutil.rmtree(getattr(self, name), ignore_errors=True)


def _parse(contract: component.Component, argv: list[str] | None) -> dict:
    parser = argparse.ArgumentParser(prog=f"python -m components.{contract.name}", description=contract.description)
    for argument in contract.arguments:
        kind = {"String": str, "Integer": int}[argument.type]
        parser.add_argument(f"--{argument.name}", type=kind, required=True, help=argument.description)
    return vars(parser.parse_args(argv))


def stage(name: str) -> Callable[[Callable[[Stage], None]], Callable[[], None]]:
    """Turn ``main(run: Stage)`` into the command of the stage ``name``."""

    def decorate(main: Callable[[Stage], None]) -> Callable[[], None]:
        def command(argv: list[str] | None = None) -> None:
            try:
                contract = component.read(name)
                run = Stage(contract, _parse(contract, argv))
                main(run)
                run._finish()
            except InputError as error:
                print(f"{name}: {error}", file=sys.stderr)
                raise SystemExit(EXIT_BAD_INPUT) from error
            except Unavailable as error:
                print(f"{name}: {error}", file=sys.stderr)
                raise SystemExit(EXIT_UNAVAILABLE) from error

        return command

    return decorate
