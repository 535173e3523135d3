"""Python's unpickler with the parts taken out by which a pickle acts: what it builds is plain values and placeholders.

A pickle is a program. Names that it gives are looked up in a closed list of placeholders, which are called in place of
what they stand for; no class or function of any library lies on its stack. State goes to placeholders alone, items go
to lists and dicts alone, and every operation that is not listed here is refused. What a pickle may ask for is bounded:
steps, bytes of one value, and keys whose hashes it could choose.
"""

import pickle
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, ClassVar

LARGE = 1 << 16
"""Bytes from which a value stays in the file; pickle writes such values outside of its frames."""

MOST_STEPS = 2_000_000
"""Operations of a pickle: EEGCVPR40, the largest that is published, has 0.7 million."""

MOST_BYTES = 1 << 27
"""Bytes of one value that is read into memory."""

_LINE = 1 << 16
"""Bytes of a line, which protocol 0 has for each number and text."""

_KEY = 1 << 32
"""Whole numbers that are keys must be smaller, as those that are larger can share their hashes."""


class Inert:
    """Stands for what a pickle builds; a subclass keeps what it needs of the arguments and of the state."""

    __slots__ = ()

    def take_state(self, state: Any) -> None:
        """Take what the pickle says of the object's state."""
        raise pickle.UnpicklingError(f"sets the state of a {type(self).__name__.strip('_')}, which has none")


class Name:
    """Stands for a name that a pickle gives.

    Args:
        text: the name.
        make: called with the arguments in place of what is named; None: the name is not called.
    """

    __slots__ = ("make", "text")

    def __init__(self, text: str, make: Callable[..., Any] | None):
        self.text, self.make = text, make


class OrderedItems(dict):
    """Stands for an ``OrderedDict``, whose state (as the versions that a state dict of PyTorch carries) is dropped."""

    __slots__ = ()


class Unbuilt(Inert):
    """Stands for an object of any class: arguments and items are dropped, its state is kept."""

    __slots__ = ("state",)

    def __init__(self, *_unused: Any):
        self.state: Any = None

    def take_state(self, state: Any) -> None:
        """Keep the state, for who knows what it means."""
        self.state = state


class FileSpan:
    """Bytes that were left in the file."""

    __slots__ = ("length", "offset")

    def __init__(self, offset: int, length: int):
        self.offset, self.length = offset, length


class _BoundedFile:
    """A file that gives no more than it has, and never more than ``MOST_BYTES`` at once."""

    def __init__(self, file: BinaryIO):
        self.file = file
        place = file.tell()
        self.size = file.seek(0, 2)
        file.seek(place)

    def read(self, length: int) -> bytes:
        if length > _LINE:
            if length > MOST_BYTES:
                raise pickle.UnpicklingError(f"promises {length} bytes in one value, of which {MOST_BYTES} are allowed")
            self.require(length)
        return self.file.read(length)

    def require(self, length: int) -> None:
        left = self.size - self.file.tell()
        if length > left:
            raise pickle.UnpicklingError(f"promises {length} bytes where {left} are left")

    def readline(self) -> bytes:
        line = self.file.readline(_LINE)
        if not line.endswith(b"\n"):
            raise pickle.UnpicklingError(f"has a line that does not end within {_LINE} bytes")
        return line


class InertUnpickler(pickle._Unpickler):
    """Reads one pickle with ``load``, which raises nearly any exception on one that is damaged or does what it may not.

    Args:
        file: binary file, which stands at the start of a pickle and stands behind it afterwards.
        names: what each ``(module, name)`` stands for.
        mapped: whether large values stay in the file, as :class:`FileSpan`.
        unknown: whether other names are allowed, and become :class:`Unbuilt`.
    """

    # What Python's own has, and its stub does not tell of.
    read: Callable[[int], bytes]
    readline: Callable[[], bytes]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list]
    stack: list[Any]
    memo: dict[int, Any]
    _unframer: Any

    def __init__(
        self, file: BinaryIO, names: Mapping[tuple[str, str], Name], mapped: bool = True, unknown: bool = False
    ):
        self._bounded = _BoundedFile(file)
        super().__init__(self._bounded, encoding="latin1")  # type: ignore[arg-type]
        self._names, self._mapped, self._unknown = names, mapped, unknown
        self._steps = 0

    def find_class(self, module: str, name: str) -> Name:
        """Return what a name stands for, or raise ``UnpicklingError`` where it is not in the list."""
        known = self._names.get((module, name))
        if known is None and not self._unknown:
            raise pickle.UnpicklingError(f"names {module}.{name}, which no such data set needs")
        return known or Name(f"{module}.{name}", Unbuilt)

    def _call(self) -> None:
        arguments, named = self.stack.pop(), self.stack.pop()
        if type(arguments) is not tuple or not isinstance(named, Name) or named.make is None:
            raise pickle.UnpicklingError("calls what is not to be called")
        self.append(named.make(*arguments))

    def _call_with_keywords(self) -> None:
        self.stack.pop()
        self._call()

    def _build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Inert):
            target.take_state(state)
        elif type(target) is not OrderedItems:
            raise pickle.UnpicklingError(f"sets the state of {_describe(target)}")

    def _extend(self, items: list) -> None:
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        elif type(target) is not Unbuilt:
            raise pickle.UnpicklingError(f"adds items to {_describe(target)}")

    def _update(self, items: list) -> None:
        target = self.stack[-1]
        if len(items) % 2:
            raise pickle.UnpicklingError("has a key without a value")
        if type(target) in (dict, OrderedItems):
            for key, value in zip(items[::2], items[1::2], strict=True):
                target[_checked_key(key)] = value
        elif type(target) is not Unbuilt:
            raise pickle.UnpicklingError(f"sets items of {_describe(target)}")

    def _append_one(self) -> None:
        self._extend([self.stack.pop()])

    def _set_one(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def _new_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._update(items)

    def _put_text(self) -> None:
        place = int(self.readline()[:-1])
        if not 0 <= place < _KEY:
            raise pickle.UnpicklingError("remembers a value at a place that pickle does not use")
        self.memo[place] = self.stack[-1]

    def _bytes(self, size: int) -> None:
        length = int.from_bytes(self.read(size), "little")
        if length < LARGE or self._unframer.current_frame or not self._mapped:
            self.append(self.read(length))
            return
        self._bounded.require(length)
        file = self._bounded.file
        self.append(FileSpan(file.tell(), length))
        file.seek(length, 1)

    dispatch: ClassVar[dict[int, Callable[[Any], None]]]


def _describe(value: object) -> str:
    return f"the name {value.text}" if isinstance(value, Name) else f"a {type(value).__name__}"


def _checked_key(key: Any) -> Any:
    """Return a key of a dict whose hash costs nothing and cannot be chosen to be another's."""
    if isinstance(key, Inert | Name) or type(key) in (str, bytes, float, bool, type(None)):
        return key
    if type(key) is int and abs(key) < _KEY:
        return key
    raise pickle.UnpicklingError(f"has {_describe(key)} as a key")


_PLAIN = (
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP", "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT",
    "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING",
    "SHORT_BINBYTES", "UNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE", "TUPLE", "EMPTY_TUPLE", "TUPLE1",
    "TUPLE2", "TUPLE3", "LIST", "EMPTY_LIST", "EMPTY_DICT", "GLOBAL", "STACK_GLOBAL", "GET", "BINGET",
    "LONG_BINGET", "BINPUT", "LONG_BINPUT", "MEMOIZE", "PERSID", "BINPERSID",
)  # fmt: skip
"""Operations that are Python's own: they make plain values, or move what is on the stack."""

_OWN: dict[str, Callable[[Any], None]] = {
    "REDUCE": InertUnpickler._call,
    "NEWOBJ": InertUnpickler._call,
    "NEWOBJ_EX": InertUnpickler._call_with_keywords,
    "BUILD": InertUnpickler._build,
    "APPEND": InertUnpickler._append_one,
    "APPENDS": lambda self: self._extend(self.pop_mark()),
    "ADDITEMS": lambda self: self._extend(self.pop_mark()),
    "EMPTY_SET": lambda self: self.append([]),
    "FROZENSET": lambda self: self.append(self.pop_mark()),
    "SETITEM": InertUnpickler._set_one,
    "SETITEMS": lambda self: self._update(self.pop_mark()),
    "DICT": InertUnpickler._new_dict,
    "PUT": InertUnpickler._put_text,
    "BINBYTES": lambda self: self._bytes(4),
    "BINBYTES8": lambda self: self._bytes(8),
    "BYTEARRAY8": lambda self: self._bytes(8),
}
"""Operations that act, in the form in which they do no harm; a set becomes a list, as its items' hashes cost."""


def _counted(operation: Callable[[Any], None]) -> Callable[[Any], None]:
    def run(unpickler: InertUnpickler) -> None:
        unpickler._steps += 1
        if unpickler._steps > MOST_STEPS:
            raise pickle.UnpicklingError(f"takes more than {MOST_STEPS} steps")
        operation(unpickler)

    return run


class _Operations(dict):
    def __missing__(self, code: int) -> Callable[[Any], None]:
        raise pickle.UnpicklingError(f"has the operation {code:#04x}, which no such data set needs")


_standard: dict[int, Callable[[Any], None]] = pickle._Unpickler.dispatch  # type: ignore[attr-defined]
InertUnpickler.dispatch = _Operations(
    {getattr(pickle, name)[0]: _counted(_standard[getattr(pickle, name)[0]]) for name in _PLAIN}
    | {getattr(pickle, name)[0]: _counted(operation) for name, operation in _OWN.items()}
)
