"""Runs one stage: settings in, declared inputs in, declared outputs out."""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from eegdiffusion.core.runtime import contract, shell
from eegdiffusion.core.runtime.closure import stage_code_hash
from eegdiffusion.core.runtime.contract import Contract
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.gpu_leases import leased_to_this_process
from eegdiffusion.core.runtime.hashing import content_hash, text_hash
from eegdiffusion.core.runtime.names import require_name
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.private_files import keep_private
from eegdiffusion.core.runtime.ranks import is_rank_zero
from eegdiffusion.core.runtime.run_record import write_record
from eegdiffusion.core.runtime.settings import load, section, validate
from eegdiffusion.core.runtime.stage_hardware import RESERVED, SECTION, hardware_of

WORK = Path(".work")


class Stage:
    """One run of a stage.

    Every input, output and section of settings that ``component.yaml`` declares must be asked for exactly once, so
    that the contract, and with it ``dvc.yaml``, cannot promise what the code does not use.

    Attributes:
        name: the stage.
        description: what it does, in a sentence or two.
        item: values of the command-line arguments (one item of the stage's matrix).
    """

    def __init__(self, agreed: Contract, item: dict):
        self.name, self.description = agreed.name, agreed.description
        self.item = item
        self._began = time.time()
        self._document = load()
        self._params = [contract.resolve(name, item, self._document) for name in agreed.params]
        self._inputs = {a.name: Path(contract.resolve(a.path, item, self._document)) for a in agreed.inputs}
        self._outputs = {a.name: Path(contract.resolve(a.path, item, self._document)) for a in agreed.outputs}
        self._left = {f"settings {p}" for p in self._params}
        self._left |= {f"input {n}" for n in self._inputs} | {f"output {n}" for n in self._outputs}
        self._devices = ExitStack()
        self._has_devices = False

    @property
    def is_rank_zero(self) -> bool:
        """Whether this process is the only one of the stage, or the first of a distributed run."""
        return is_rank_zero()

    def _take(self, kind: str, name: str) -> None:
        if f"{kind} {name}" not in self._left:
            raise AssertionError(f"{self.name}: {kind} {name!r} is not declared in component.yaml, or was taken twice")
        self._left.remove(f"{kind} {name}")

    def settings[T](self, cls: type[T], name: str | None = None) -> T:
        """Read a section of ``params.yaml`` as a settings class.

        The section ``hardware``, or a field of it, may be read undeclared: it is configuration of the run. Fields of
        it that decide the result are declared (``hardware.precision``), and count as asked for when it is read. What
        ``hardware.stages`` says of this stage takes the place of what all have. A stage that asks what it runs on, and
        may run on a GPU, is leased as many as it trains on (one where it reads a field alone) until it has ended.

        Args:
            cls: a class made with :func:`.settings.settings`, or any type that Pydantic knows.
            name: dotted name of the section; default: the one named like the stage.

        Raises:
            InputError: there is no such section, a field is missing, unknown or breaks its rule, or the stage is to
                have more GPUs than there are.
        """
        name = name or self.name
        if name.partition(".")[0] != SECTION:
            self._take("settings", name)
            return validate(section(self._document, name), cls, f"params.yaml: {name}")
        self._left = {entry for entry in self._left if not f"{entry}.".startswith(f"settings {name}.")}
        hardware = self._hardware()
        value = validate(section({SECTION: hardware}, name), cls, f"params.yaml: {name}")
        if hardware.get("accelerator", "cpu") != "cpu":
            self._lease_gpus(int(hardware.get("devices", 1)) if name == SECTION else 1)
        return value

    def _hardware(self) -> dict:
        try:
            hardware = hardware_of(section(self._document, SECTION), self.name)
        except ValueError as error:
            raise InputError(f"params.yaml: {error}") from error
        return {name: value for name, value in hardware.items() if name not in RESERVED}

    def _lease_gpus(self, count: int) -> None:
        if self._has_devices:
            return
        title = "-".join([self.name, *map(str, self.item.values())])

        def tell(line: str) -> None:
            say(f"{title}: {line}", stream=sys.stderr)

        try:
            self._devices.enter_context(leased_to_this_process(count, title, tell))
        except ValueError as error:
            raise InputError(f"params.yaml: {SECTION}.devices: {error}") from error
        self._has_devices = True

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
        if self.is_rank_zero:
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that this run depends on: item, settings, content of the inputs, and code."""
        return text_hash(
            {
                "stage": self.name,
                "item": self.item,
                "params": {name: section(self._document, name) for name in self._params},
                "inputs": {name: content_hash(path) for name, path in self._inputs.items()},
                "code": stage_code_hash(self.name),
            }
        )

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
        if not self.is_rank_zero:
            return
        if self._left:
            left = ", ".join(sorted(self._left))
            raise AssertionError(f"{self.name}: declared in component.yaml and not used: {left}")
        missing = [str(path) for path in self._outputs.values() if not path.exists()]
        if missing:
            raise AssertionError(f"{self.name}: did not write {', '.join(missing)}")
        write_record(self.name, list(self.item.values()), self._began, time.time(), self._outputs.values())
        for name in ("work", "shared_work"):
            if name in self.__dict__:
                shutil.rmtree(getattr(self, name), ignore_errors=True)


_KINDS: dict[str, type] = {"String": str, "Integer": int}


def _parse(agreed: Contract, argv: list[str] | None) -> dict:
    """Read the item of a run from the words of its command: argument by argument, or as DVC names its stage.

    Raises:
        InputError: a value is no name, or there is no such item.
    """
    parser = argparse.ArgumentParser(prog=f"python -m components.{agreed.name}", description=agreed.description)
    arguments = [
        parser.add_argument(f"--{argument.name}", type=_KINDS[argument.type], help=argument.description)
        for argument in agreed.arguments
    ]
    if arguments:
        parser.add_argument("--item", metavar="STAGE", help="in their place: the stage as DVC names it, STAGE@NAME")
    item = vars(parser.parse_args(argv))
    name = item.pop("item", None)
    given = {f"--{key}": value for key, value in item.items() if value is not None}
    if name is not None and given:
        parser.error(f"--item stands in the place of {', '.join(given)}")
    if name is not None:
        return contract.item_of(agreed, name)
    if missing := [option for argument in arguments for option in argument.option_strings if option not in given]:
        parser.error(f"the following arguments are required: {', '.join(missing)}")
    for option, value in given.items():
        if isinstance(value, str):
            require_name(value, option)
    return item


def stage(name: str) -> Callable[[Callable[[Stage], None]], Callable[[], None]]:
    """Turn ``main(run: Stage)`` into the command of the stage ``name``."""

    def decorate(main: Callable[[Stage], None]) -> Callable[[], None]:
        def command(argv: list[str] | None = None) -> None:
            shell.hide_advice_to_developers()
            with shell.errors_as_exit_status(name):
                keep_private(Path())
                agreed = contract.read(name)
                run = Stage(agreed, _parse(agreed, argv))
                with run._devices:
                    main(run)
                    run._finish()

        return command

    return decorate
