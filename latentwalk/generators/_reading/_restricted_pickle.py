"""A pickle machine that makes plain values and records only.

Python's own unpickler imports the names in a stream and calls them. This machine interprets the
opcodes itself. A name is looked up in a table of functions of this package; nothing is imported,
called by name or given attributes. A name outside the table is refused or, when not strict, becomes
an inert `Stub`.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import Any, NamedTuple, NoReturn

from latentwalk.generators._reading._budget import Budget, Nested
from latentwalk.generators._reading._refused import RefusedError

Allowed = Mapping[tuple[str, str], Callable[..., Any] | None]
KeyTypes = (str, bytes, int, float, bool, type(None))
# what honest files stay far under: bits of an integer, and parts of a key
MAX_BITS, MAX_PARTS = 1024, 8
TICK = 4096  # opcodes between two looks at the clock


class Global(NamedTuple):
    """A name in a stream; never the object of that name."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"[:200]


class Stub:
    """The stand-in for an unknown class: it ignores all operations."""

    __slots__ = ("_of",)

    def __init__(self, of: str | Global) -> None:
        self._of = of

    @property
    def name(self) -> str:
        return str(self._of)


class Record:
    """A record whose state a stream may set by BUILD."""

    __slots__ = ()

    def build(self, state: Any) -> None:
        """Set the state from the stream."""
        raise RefusedError(f"it sets the state of a {type(self).__name__}")


LITERALS = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"}
    | {"BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
IGNORED = frozenset({"PROTO", "FRAME"})


class PickleMachine:
    """Interpret one pickle stream.

    Parameters
    ----------
    allowed : mapping of (module, name) to function or None
        The function that is called for a name. A name with None may occur but not be called.
    strict : bool, default=True
        Refuse every other name; otherwise it becomes a `Stub`.
    persistent : callable, default=None
        Takes a persistent id. With None, persistent ids are refused.
    budget : Budget, default=None
        The budget of the stream's file; None makes one for a file of the stream's length.
    """

    def __init__(
        self,
        allowed: Allowed,
        *,
        strict: bool = True,
        persistent: Callable[[Any], Any] | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._allowed, self._strict, self._persistent = allowed, strict, persistent
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._budget = budget

    def load(self, stream: BytesIO) -> Any:
        """Return the value of the stream, which is left after its STOP.

        Raises
        ------
        RefusedError
            When the stream holds a name or an opcode that is not allowed, or is corrupt.
        """
        self._budget = self._budget or Budget(stream.getbuffer().nbytes)
        try:
            for i, (opcode, arg, _) in enumerate(pickletools.genops(stream)):
                self._step(opcode.name, arg)
                if i % TICK == 0:
                    self._budget.spend()
            return self._stack.pop()
        except RefusedError:
            raise
        except (ValueError, LookupError, TypeError, OverflowError, MemoryError) as error:
            raise RefusedError(
                f"its pickle is truncated or corrupt ({str(error)[:200]})"
            ) from error

    def _step(self, name: str, arg: Any) -> None:
        if name in LITERALS:
            if isinstance(arg, int) and arg.bit_length() > MAX_BITS:
                raise RefusedError(f"it holds an integer of {arg.bit_length()} bits")
            self._stack.append(arg)
        elif name in GETS:
            self._stack.append(self._memo[arg])
        elif name in PUTS:
            self._memo[arg] = self._stack[-1]
        elif name in CONSTANTS:
            self._stack.append(CONSTANTS[name])
        elif name in EMPTY:
            self._stack.append(EMPTY[name]())
        elif name in TUPLES:
            self._stack.append(Nested(self._pop(TUPLES[name])))
        elif name not in IGNORED:
            handler = OPCODES.get(name)
            if handler is None:
                raise RefusedError(f"it holds the pickle opcode {name}")
            handler(self, arg)

    def _pop(self, n: int) -> list[Any]:
        if len(self._stack) < n:
            raise IndexError("stack underflow")
        items = self._stack[-n:]
        del self._stack[-n:]
        return items

    def _pop_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._below.pop()
        return items

    def _mark(self, arg: Any) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _drop(self, arg: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_mark()

    def _drop_mark(self, arg: Any) -> None:
        self._pop_mark()

    def _duplicate(self, arg: Any) -> None:
        self._stack.append(self._stack[-1])

    def _memoize(self, arg: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _tuple(self, arg: Any) -> None:
        items = self._pop_mark()
        self._stack.append(Nested(items))

    def _list(self, arg: Any) -> None:
        items = self._pop_mark()
        self._stack.append(items)

    def _dict(self, arg: Any) -> None:
        items = self._pop_mark()
        self._stack.append(make_dict(zip(items[::2], items[1::2], strict=True)))

    def _frozenset(self, arg: Any) -> None:
        items = self._pop_mark()
        self._stack.append(frozenset(make_set(items)))

    def _append(self, arg: Any) -> None:
        (item,) = self._pop(1)
        self._extend([item])

    def _appends(self, arg: Any) -> None:
        self._extend(self._pop_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Stub):
            raise RefusedError(f"it appends to a {type(target).__name__}")

    def _set_item(self, arg: Any) -> None:
        self._update(self._pop(2))

    def _set_items(self, arg: Any) -> None:
        self._update(self._pop_mark())

    def _update(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            target.update(make_dict(zip(items[::2], items[1::2], strict=True)))
        elif not isinstance(target, Stub):
            raise RefusedError(f"it sets items of a {type(target).__name__}")

    def _add_items(self, arg: Any) -> None:
        items, target = self._pop_mark(), self._stack[-1]
        if isinstance(target, set):
            target.update(make_set(items))
        elif not isinstance(target, Stub):
            raise RefusedError(f"it adds items to a {type(target).__name__}")

    def _global(self, arg: str) -> None:
        module, _, name = arg.partition(" ")
        self._stack.append(self._check(module, name))

    def _stack_global(self, arg: Any) -> None:
        module, name = self._pop(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a global whose name is not text")
        self._stack.append(self._check(module, name))

    def _check(self, module: str, name: str) -> Global:
        """The name, if it is allowed or if unknown names become stubs."""
        found = Global(module, name)
        if self._strict and found not in self._allowed:
            refuse_name(found)
        return found

    def _reduce(self, arg: Any) -> None:
        target, args = self._pop(2)
        self._stack.append(self._call(target, args))

    def _new_object_ex(self, arg: Any) -> None:
        target, args, kwargs = self._pop(3)
        if kwargs and isinstance(target, Global) and target in self._allowed:
            raise RefusedError(f"it calls {target} with keywords")
        self._stack.append(self._call(target, args))

    def _inst(self, arg: str) -> None:
        items = self._pop_mark()
        module, _, name = arg.partition(" ")
        self._stack.append(self._call(self._check(module, name), Nested(items)))

    def _obj(self, arg: Any) -> None:
        target, *items = self._pop_mark()
        self._stack.append(self._call(target, Nested(items)))

    def _call(self, target: Any, args: Any) -> Any:
        if isinstance(target, Stub):
            return target
        if not isinstance(target, Global):
            raise RefusedError(f"it calls a {type(target).__name__}")
        if target not in self._allowed:
            return Stub(target)
        handler = self._allowed[target]
        if handler is None or not isinstance(args, tuple):
            raise RefusedError(f"it calls {target}")
        self._spend(args)
        try:
            return handler(*args)
        except TypeError as error:
            raise RefusedError(f"it calls {target} with unexpected arguments") from error

    def _spend(self, args: tuple[Any, ...]) -> None:
        """Refuse a stream that copies the same values many times."""
        assert self._budget is not None
        self._budget.spend(n_bytes=sum(len(arg) for arg in args if hasattr(arg, "__len__")))

    def _build(self, arg: Any) -> None:
        (state,) = self._pop(1)
        target = self._stack[-1]
        if isinstance(target, Record):
            target.build(state)
        # torch's state dicts carry a version table as an attribute, which nothing here reads
        elif not isinstance(target, Stub | dict):
            what = target if isinstance(target, Global) else f"a {type(target).__name__}"
            raise RefusedError(f"it sets the state of {what}")

    def _persistent_id(self, arg: Any) -> None:
        (pid,) = self._pop(1)
        if self._persistent is None:
            raise RefusedError("it holds a persistent id")
        self._stack.append(self._persistent(pid))

    def _stop(self, arg: Any) -> None:
        if len(self._stack) != 1 or self._below:
            raise ValueError("it does not end in one value")


OPCODES: dict[str, Callable[[PickleMachine, Any], None]] = {
    "MARK": PickleMachine._mark,
    "POP": PickleMachine._drop,
    "POP_MARK": PickleMachine._drop_mark,
    "DUP": PickleMachine._duplicate,
    "MEMOIZE": PickleMachine._memoize,
    "TUPLE": PickleMachine._tuple,
    "LIST": PickleMachine._list,
    "DICT": PickleMachine._dict,
    "FROZENSET": PickleMachine._frozenset,
    "APPEND": PickleMachine._append,
    "APPENDS": PickleMachine._appends,
    "SETITEM": PickleMachine._set_item,
    "SETITEMS": PickleMachine._set_items,
    "ADDITEMS": PickleMachine._add_items,
    "GLOBAL": PickleMachine._global,
    "STACK_GLOBAL": PickleMachine._stack_global,
    "REDUCE": PickleMachine._reduce,
    "NEWOBJ": PickleMachine._reduce,
    "NEWOBJ_EX": PickleMachine._new_object_ex,
    "INST": PickleMachine._inst,
    "OBJ": PickleMachine._obj,
    "BUILD": PickleMachine._build,
    "BINPERSID": PickleMachine._persistent_id,
    "STOP": PickleMachine._stop,
}


def refuse_name(found: Global) -> NoReturn:
    """Raise for a name outside the table."""
    hint = "; if it is not part of the network, strict=False opens the file without it"
    if found.module.startswith("dnnlib.tflib"):
        hint = "; it is a TensorFlow network: convert it first with the publisher's legacy.py"
    raise RefusedError(f"it names {found}, which is not part of a generator's weights{hint}")


def some_names(keys: Iterable[Any]) -> str:
    """A few keys of a file, for an error; only text keys are shown."""
    names = sorted(key[:60] for key in keys if isinstance(key, str))
    return ", ".join(names[:8]) or "nothing"


def make_dict(items: Iterable[Any] = ()) -> dict[Any, Any]:
    """A dict of pairs, with plain keys: hashing deep ones can exhaust the stack."""
    pairs = [(key, value) for key, value in items]
    _check_keys(key for key, _ in pairs)
    return dict(pairs)


def make_set(items: Iterable[Any] = ()) -> set[Any]:
    """A set of items, under the same rule."""
    values = list(items)
    _check_keys(values)
    return set(values)


def _check_keys(keys: Iterable[Any]) -> None:
    for key in keys:
        parts = key if isinstance(key, tuple) else (key,)
        if len(parts) > MAX_PARTS or not all(isinstance(part, (*KeyTypes, Stub)) for part in parts):
            what = "tuple" if isinstance(key, tuple) else type(key).__name__
            raise RefusedError(f"it has a {what} as a key")
