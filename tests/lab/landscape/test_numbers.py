"""The numbers of a landscape are read or refused."""

import json
from typing import Any

import numpy as np
import pytest

from segapp.errors import MisuseError
from segapp.lab.landscape import numbers
from segapp.lab.landscape.numbers import read_landscape

SETTINGS: dict[str, Any] = {"size": [8, 8], "loss": "x.Loss", "samples": 1, "split": "train", "statistics": "none"}


def written(folder, facts=None, **changes):
    """Write a finished landscape, some of its arrays changed."""
    arrays = {"t": np.zeros(3), "lines": np.ones((2, 3)), "first": np.zeros(2), "second": np.zeros(2)}
    arrays |= {"plane": np.ones((2, 2)), "path": np.zeros((0, 2)), "done": np.ones(10, bool)}
    np.savez(folder / "landscape.npz", **{**arrays, **changes})
    facts = SETTINGS | {"checkpoint": "a.ckpt", "sharpness": []} | (facts or {})
    (folder / "landscape.json").write_text(json.dumps(facts))


def test_numbers_that_are_none_or_do_not_fit_are_one_message(tmp_path):
    written(tmp_path)
    assert read_landscape(tmp_path).plane.shape == (2, 2)
    pickled = np.array([print], object)
    for changes in (
        {"plane": np.ones(3)},
        {"path": np.zeros((2, 3))},
        {"t": np.array(["a"])},
        {"lines": np.ones(3)},
        {"t": pickled},
    ):
        written(tmp_path, **changes)
        with pytest.raises(MisuseError, match="damaged"):
            read_landscape(tmp_path)


def test_numbers_that_would_expand_take_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(numbers, "MAX_BYTES", 1000)
    written(tmp_path, plane=np.zeros((200, 200)))
    with pytest.raises(MisuseError, match="bytes"):
        read_landscape(tmp_path)


@pytest.mark.parametrize(
    "facts",
    [{"statistics": None}, {"size": 3}, {"loss": []}, {"split": 3}, {"sharpness": [3]}, {"sharpness": [{"rise": "x"}]}],
    ids=str,
)
def test_facts_that_no_landscape_has_are_one_message(tmp_path, facts):
    written(tmp_path, facts)
    with pytest.raises(MisuseError, match="damaged"):
        read_landscape(tmp_path)
