"""Pickles are refused before they are read, unless torch.save writes such for a checkpoint."""

import io
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from segapp.checkpoints.checkpoint import read_checkpoint
from segapp.errors import MisuseError
from segapp.system import pickle_content
from segapp.system.pickle_content import check_attributes, check_pickle

PLACE = Path("a.ckpt")
NESTED = b"\x80\x02}()" + b"q\x00h\x00\x86" * 60 + b"Nu."
"""A key that is a tuple of tuples, each holding the one below twice: its hash takes 2**60 steps."""


def pickle_of(content) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    with zipfile.ZipFile(stream) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".pkl")]
        return archive.read(name)


@pytest.mark.parametrize(
    "content",
    [
        {"a": [1, 2.5, None, True, "text", 2**40, (3, "x", (4,))], 7: {}},
        OrderedDict(
            weight=torch.zeros(2, 3),
            half=torch.zeros(2, dtype=torch.bfloat16),
            parameter=torch.nn.Parameter(torch.ones(1)),
        ),
        {"size": torch.Size([2, 3]), "dtype": torch.float16, "device": torch.device("cpu")},
        torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))]).state_dict(),
        torch.arange(5, dtype=torch.uint8)[::2],
    ],
    ids=["plain", "weights", "torch", "optimiser", "view"],
)
def test_what_a_checkpoint_holds_is_read(content):
    check_pickle(PLACE, pickle_of(content))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (NESTED, "key"),
        (b"\x80\x02ccollections\nOrderedDict\n](\x88\x88\x86e\x85R.", "mapping"),
        (b"\x80\x02ctorch._utils\n_rebuild_device_tensor_from_cpu_tensor\n)R.", "_rebuild_device_tensor"),
        (b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "builtins.bytearray"),
        (b"\x80\x02(" + b"N" * 40 + b"t.", "more than 20"),
    ],
    ids=["hash", "ordered", "expand", "bytearray", "many"],
)
def test_what_takes_memory_or_time_without_end_is_refused_unread(content, told, monkeypatch):
    monkeypatch.setattr(pickle_content, "MOST_OPCODES", 20 if told.startswith("more") else 1000)
    with pytest.raises(MisuseError, match=rf"a\.ckpt: .*{told}"):
        check_pickle(PLACE, content)


@pytest.mark.parametrize("content", [b"\x80\x02}", b"hello", b"\x80\x02h\x05.", b"\x80\x02a."])
def test_what_is_no_pickle_is_a_value_error(content):
    with pytest.raises(ValueError):
        check_pickle(PLACE, content)


def test_every_pickle_of_an_old_file_is_looked_at():
    with pytest.raises(MisuseError, match="bytearray"):
        check_pickle(PLACE, b"\x80\x02}.\x80\x02N.\x80\x02cbuiltins\nbytearray\n.")


def test_a_zip_behind_a_pickle_is_not_what_is_checked(tmp_path):
    """Python finds the zip from its end, torch reads the pickle at the beginning."""
    honest = io.BytesIO()
    torch.save({}, honest)
    (tmp_path / "a.ckpt").write_bytes(b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R." + honest.getvalue())
    with pytest.raises(MisuseError, match="bytearray"):
        read_checkpoint(tmp_path / "a.ckpt")


class Shadow(dict):
    """Pickled as an OrderedDict whose attributes take the place of its methods."""

    def __init__(self, content, **attributes):
        super().__init__(content)
        self.attributes = attributes

    def __reduce_ex__(self, protocol):
        return OrderedDict, (), self.attributes, None, iter(dict.items(self))


@pytest.mark.parametrize("method", ["items", "keys", "values", "get", "copy", "__class__"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_mapping_that_hides_its_content_is_refused(tmp_path, method, nested):
    hidden = Shadow({"segapp": 1}, **{method: torch.Size})
    torch.save({"state": [(hidden, 1)]} if nested else hidden, tmp_path / "a.ckpt")
    with pytest.raises(MisuseError, match=r"a\.ckpt: .*methods"):
        read_checkpoint(tmp_path / "a.ckpt")


def test_the_metadata_of_weights_is_no_method():
    weights = torch.nn.BatchNorm2d(2).state_dict()
    assert vars(weights)
    check_pickle(PLACE, pickle_of(weights))
    check_attributes(PLACE, {"state_dict": weights})


def test_attributes_of_what_is_no_mapping_are_refused():
    tensor = pickle_of(torch.zeros(2))
    assert tensor.endswith(b".")
    with pytest.raises(MisuseError, match="attributes"):
        check_pickle(PLACE, tensor[:-1] + b"(K\x01tb.")


def test_mappings_that_hold_themselves_are_looked_through_once():
    circle: dict = {}
    circle["self"] = circle
    check_attributes(PLACE, circle)
    hidden = OrderedDict()
    hidden.items = list
    with pytest.raises(MisuseError, match="methods"):
        check_attributes(PLACE, {"hidden": hidden, "circle": circle})
