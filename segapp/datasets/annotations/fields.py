"""Take values out of the files of annotation tools, and say where one is missing or of another kind."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from segapp.datasets.annotations.shapes import Window
from segapp.errors import MisuseError
from segapp.system.text_files import read_text

MAX_JSON = 2**29
"""Bytes of a JSON file: the annotations of all training images of COCO have 449 million."""

MAX_COORDINATE = 2**21
"""Pixels from the image's corner; images have 2^20 at most along a side."""


class Fields:
    """The values of one JSON object, and where it stands."""

    __slots__ = ("values", "where")

    def __init__(self, values: object, where: str) -> None:
        if not isinstance(values, dict):
            raise MisuseError(f"{where}: an object is expected, found {show(values)}.")
        self.values: dict[str, Any] = values
        self.where = where

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text; numbers count as text."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self._explain(key, "text", value)
        return str(value)

    def number(self, key: str, default: float | None = None) -> float:
        """Return a finite number of at most `MAX_COORDINATE`."""
        return check_number(self.values.get(key, default), f"{self.where}: {key!r}")

    def integer(self, key: str) -> int:
        """Return an integer."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
            raise self._explain(key, "a whole number", value)
        return value

    def fields(self, key: str) -> "Fields":
        """Return the object under a key."""
        return Fields(self.values.get(key), f"{self.where}: {key!r}")

    def objects(self, key: str) -> "Iterator[Fields]":
        """Yield every object of a list."""
        for number, value in enumerate(self.list(key), start=1):
            yield Fields(value, f"{self.where}: {key!r} {number}")

    def size(self, height: str, width: str) -> tuple[int, int] | None:
        """Return height and width under these keys; None where both are missing."""
        if self.values.get(height) is None and self.values.get(width) is None:
            return None
        return self.integer(height), self.integer(width)

    def list(self, key: str) -> list[Any]:
        """Return a list; MisuseError for anything else."""
        value = self.values.get(key)
        if not isinstance(value, list):
            raise self._explain(key, "a list", value)
        return value

    def _explain(self, key: str, expected: str, value: object) -> MisuseError:
        found = "it is missing" if key not in self.values else f"found {show(value)}"
        return MisuseError(f"{self.where}: {key!r} should be {expected}; {found}.")


def read_json(path: Path) -> object:
    """Return what a JSON file holds; MisuseError for another file, a damaged or an empty one."""
    text = read_text(path, MAX_JSON)
    if not text.strip():
        raise MisuseError(f"{path}: is empty; export the annotations again.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MisuseError(f"{path}: not JSON, or cut off ({error}).") from error


def check_number(value: object, where: str) -> float:
    """Return a number of the file; MisuseError unless it is finite and of a plausible size."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_COORDINATE:
        raise MisuseError(f"{where} should be a number of at most {MAX_COORDINATE:,}; found {show(value)}.")
    return float(value)


def make_points(values: object, where: str, largest: float = MAX_COORDINATE) -> np.ndarray:
    """Return (N, 2) float64 points; MisuseError unless they are pairs of finite numbers of a plausible size."""
    points = _to_array(values)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise MisuseError(f"{where}: points should be pairs of numbers, found {show(values)}.")
    return check_points(points, where, largest)


def make_ring(values: object, where: str) -> np.ndarray:
    """Return (N, 2) float64 points of a flat list x, y, x, y …; MisuseError for fewer than three of them."""
    points = _to_array(values)
    if points.ndim != 1 or len(points) % 2 or len(points) < 6:
        raise MisuseError(f"{where}: a polygon should be x, y, x, y … of three points or more, found {show(values)}.")
    return check_points(points.reshape(-1, 2), where)


def _to_array(values: object) -> np.ndarray:
    """Return the numbers, (0,) where they are none."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.zeros(0)


def check_points(points: np.ndarray, where: str, largest: float = MAX_COORDINATE) -> np.ndarray:
    """Return points; MisuseError unless all numbers are finite and of a plausible size."""
    if not np.abs(points).max() <= largest:  # NaN is not
        worst = points[~(np.abs(points) <= largest)][0]
        raise MisuseError(f"{where}: a coordinate is {worst:g}; they are finite and {largest:,} at most.")
    return points


def make_window(y: float, x: float, h: float, w: float, where: str) -> Window:
    """Return a rectangle of whole pixels; MisuseError for fractions and for one without pixels."""
    values = [check_number(value, where) for value in (y, x, h, w)]
    if any(value != int(value) for value in values) or min(values[2:]) < 1:
        raise MisuseError(f"{where}: a mask at y={y}, x={x} of {h} x {w} pixels; whole pixels are expected.")
    return Window(*(int(value) for value in values))


def show(value: object) -> str:
    """Return a short description of a value for a message."""
    text = json.dumps(value, default=str)[:60] if not isinstance(value, dict | list) else type(value).__name__
    return {"dict": "an object", "list": "a list", "null": "nothing"}.get(text, text)
