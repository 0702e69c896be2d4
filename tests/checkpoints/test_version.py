"""Checkpoints and bundles have one version, and their spec is read in one way."""

import re

import pytest
import torch

from segapp.checkpoints.version import VERSION, read_spec, require_version
from segapp.cli.init_from import read_learned
from segapp.errors import MisuseError
from segapp.lab.landscape.opening import LandscapeRequest, open_landscape
from segapp.training.module import SegmentationModule
from tests.inference.checkpoints import THRESHOLD, make_spec, write_checkpoint


@pytest.mark.parametrize(
    "found", [VERSION - 1, VERSION + 1, str(VERSION), None, float(VERSION), torch.tensor([VERSION, VERSION])]
)
@pytest.mark.parametrize("kind", ["checkpoint", "bundle"])
def test_another_version_is_refused_with_both_numbers(kind, found):
    require_version("x", kind, {"version": VERSION}, "do so")
    with pytest.raises(
        MisuseError, match=rf"x: a {kind} of version {re.escape(repr(found))}; .* version {VERSION}: do so"
    ):
        require_version("x", kind, {"version": found}, "do so")


@pytest.mark.parametrize("damaged", [{}, {"classes": 3}, None, {"unknown": 1}])
def test_a_damaged_spec_is_refused_with_its_file(damaged):
    assert read_spec("x", make_spec().to_dict()) == make_spec()
    with pytest.raises(MisuseError, match=r"^x: "):
        read_spec("x", damaged)


def test_every_reader_of_a_checkpoint_refuses_a_damaged_spec_with_its_file(tmp_path):
    path = write_checkpoint(tmp_path / "a.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    del checkpoint["segapp"]["spec"]["classes"]
    torch.save(checkpoint, path)
    for read in (
        lambda: read_learned(str(path)),
        lambda: SegmentationModule.load_from_checkpoint(path, allow=[THRESHOLD]),
        lambda: open_landscape(LandscapeRequest(str(path), None, None, 1, 1, False, allowed=(THRESHOLD,)), "cpu"),
    ):
        with pytest.raises(MisuseError, match=r"a\.ckpt: "):
            read()
