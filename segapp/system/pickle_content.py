"""Checks the pickle of a file of weights opcode by opcode before it is read.

torch's `weights_only` runs no code, but calls some thirty functions with any arguments, some of which take memory by a
number, and hashes keys without end. What `torch.save` writes for a checkpoint or a state_dict needs a handful.
"""

import io
import pickletools
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from segapp.errors import MisuseError

MOST_OPCODES = 5_000_000
"""A checkpoint has some thirty per tensor and two per image."""
STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "Untyped")
DTYPES = ("float16", "bfloat16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool")
NAMED = {
    "collections OrderedDict",
    "torch Size",
    "torch device",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    *(f"torch {name}Storage" for name in STORAGES),
    *(f"torch {name}" for name in DTYPES),
}
"""Classes and functions that a pickle may name."""

KEY: Final = "key"
"""A value that is text or a number, whose hash takes no time."""
FLAT: Final = "flat"
"""A tuple of such values and of names."""
EMPTY: Final = "empty"
"""The empty tuple."""
NAME: Final = "name"
ORDERED: Final = "ordered"
"""The name of OrderedDict, which hashes what it is called with."""
MAPPING: Final = "mapping"
"""An OrderedDict, the only kind of object that may have attributes."""
OTHER: Final = "other"
MARK: Final = "mark"

PLAIN_OPCODES = {
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINFLOAT",
    "NONE",
    "NEWTRUE",
    "NEWFALSE",
}


def check_pickle(file: Path, content: bytes, first: int | None = None) -> None:
    """Raise MisuseError for pickles that `torch.save` would not write for a checkpoint of segapp.

    Args:
        file: For messages.
        content: One pickle or, as in files of old versions of torch, several that follow each other.
        first: How many of them are read, where other bytes follow; None for all.

    Raises:
        MisuseError: One holds code, or could take memory or time without end.
        ValueError: It is no pickle, or one that torch does not write.
    """
    stream, count, pickles = io.BytesIO(content), 0, 0
    try:
        while stream.tell() < len(content) and pickles != first:
            pickles += 1
            machine = _Machine()
            for opcode, argument, _ in pickletools.genops(stream):
                count += 1
                if count > MOST_OPCODES:
                    raise _ForeignError(f"holds more than {MOST_OPCODES:,} values beside its weights")
                machine.step(opcode.name, argument)
    except _ForeignError as error:
        raise MisuseError(f"{file}: {error}; no file of weights does. It was refused.") from error
    except (IndexError, KeyError) as error:
        raise ValueError("a cut or altered pickle") from error


def check_attributes(file: Path, loaded: Any) -> None:
    """Raise MisuseError where mappings that were read have attributes other than `_metadata` of torch's `state_dict`.

    An attribute takes the place of a method: with an `items` of its own a mapping shows nothing to whoever looks
    through it, and hands out values all the same.
    """
    waiting, seen = [loaded], set()
    while waiting:
        value = waiting.pop()
        if not isinstance(value, dict | list | tuple) or id(value) in seen:
            continue
        seen.add(id(value))
        if not isinstance(value, dict):
            waiting += value
            continue
        attributes = vars(value) if isinstance(value, OrderedDict) else {}
        if attributes.keys() - {"_metadata"}:
            raise MisuseError(f"{file}: holds mappings with methods of their own; no checkpoint does. It was refused.")
        waiting += [*dict.values(value), *attributes.values()]


class _ForeignError(Exception):
    """What is found that a checkpoint does not have."""


class _Machine:
    """The stack of a pickle, of which it knows the kinds of values."""

    def __init__(self) -> None:
        self.stack: list[str] = []
        self.memo: dict[int, str] = {}

    def step(self, opcode: str, argument: object) -> None:
        """Do what an opcode does to the kinds of values; raises _ForeignError for one that is not expected."""
        if opcode in PLAIN_OPCODES:
            self.stack.append(KEY)
        elif opcode in ("EMPTY_DICT", "EMPTY_LIST"):
            self.stack.append(OTHER)
        elif opcode == "EMPTY_TUPLE":
            self.stack.append(EMPTY)
        elif opcode == "MARK":
            self.stack.append(MARK)
        elif opcode in ("BINPUT", "LONG_BINPUT"):
            self.memo[int(str(argument))] = self.stack[-1]
        elif opcode in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[int(str(argument))])
        elif opcode == "GLOBAL":
            self._name(str(argument))
        elif opcode in ("TUPLE1", "TUPLE2", "TUPLE3"):
            self._make_tuple([self.stack.pop() for _ in range(int(opcode[-1]))])
        elif opcode == "TUPLE":
            self._make_tuple(self._pop_to_mark())
        elif opcode == "APPEND":
            self.stack.pop()
        elif opcode == "BUILD":  # the attributes of what lies below; `check_attributes` looks at them
            self.stack.pop()
            self._require(self.stack[-1:], MAPPING, "sets attributes of what is no mapping")
        elif opcode == "APPENDS":
            self._pop_to_mark()
        elif opcode == "SETITEM":
            self.stack.pop()
            self._require_keys([self.stack.pop()])
        elif opcode == "SETITEMS":
            self._require_keys(self._pop_to_mark()[::2])
        elif opcode == "REDUCE":
            self._call(arguments=self.stack.pop(), function=self.stack.pop())
        elif opcode == "BINPERSID":
            self._require([self.stack.pop()], FLAT, "names its weights by more than text and numbers")
            self.stack.append(OTHER)
        elif opcode not in ("PROTO", "STOP"):
            raise ValueError(f"{opcode}, which torch.save does not write")

    def _name(self, words: str) -> None:
        if words not in NAMED:
            name = words.replace(" ", ".")
            raise _ForeignError(f"holds code ({name}) instead of plain data")
        self.stack.append(ORDERED if words.endswith("OrderedDict") else NAME)

    def _call(self, arguments: str, function: str) -> None:
        if function == ORDERED:
            self._require([arguments], EMPTY, "fills a mapping in a way that may take for ever")
        elif function != NAME:
            raise _ForeignError("calls what is no name")
        self.stack.append(MAPPING if function == ORDERED else OTHER)

    def _make_tuple(self, kinds: list[str]) -> None:
        if MARK in kinds:
            raise ValueError("a mark inside a tuple")
        self.stack.append(FLAT if set(kinds) <= {KEY, NAME} else OTHER)

    def _pop_to_mark(self) -> list[str]:
        at = len(self.stack) - 1 - self.stack[::-1].index(MARK)
        kinds = self.stack[at + 1 :]
        del self.stack[at:]
        return kinds

    def _require_keys(self, kinds: list[str]) -> None:
        self._require(kinds, KEY, "has a key that is neither text nor a number")

    @staticmethod
    def _require(kinds: list[str], wanted: str, message: str) -> None:
        if any(kind != wanted for kind in kinds):
            raise _ForeignError(message)
