"""Files of weights are looked through before torch reads them, in its zip format and in the one before."""

import zipfile
from collections import OrderedDict

import pytest
import torch

from segapp.errors import MisuseError
from segapp.system.torch_files import check_archive, check_weights_file

FOREIGN = b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R."


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        torch.nn.BatchNorm2d(3).state_dict(),
        {"state_dict": {"a": torch.zeros(2, dtype=torch.float16)}, "epoch": 3, "arch": "resnet"},
        OrderedDict(weight=torch.nn.Parameter(torch.ones(2, 2))),
    ],
    ids=["weights", "training", "parameter"],
)
def test_weights_pass(tmp_path, content, is_zip):
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
    check_weights_file(tmp_path / "a.pth")


@pytest.mark.parametrize("is_zip", [True, False])
def test_other_objects_are_refused_unread(tmp_path, is_zip):
    torch.save({"net": torch.nn.Linear(1, 1)}, tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
    with pytest.raises(MisuseError, match=r"a\.pth: .*Linear"):
        check_weights_file(tmp_path / "a.pth")


def test_a_pickle_that_takes_memory_is_refused_unread(tmp_path):
    (tmp_path / "a.pth").write_bytes(FOREIGN)
    with pytest.raises(MisuseError, match="bytearray"):
        check_weights_file(tmp_path / "a.pth")


@pytest.mark.parametrize("content", [b"<html>", b"PK\x03\x04 and no directory"])
def test_what_is_no_file_of_weights_raises(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises((ValueError, zipfile.BadZipFile)):
        check_weights_file(tmp_path / "a.pth")


def test_an_archive_that_expands_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * 10**6)
    with pytest.raises(MisuseError, match="expand"):
        check_archive(tmp_path / "a.pth")
