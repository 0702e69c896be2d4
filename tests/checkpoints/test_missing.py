"""A checkpoint that is not there."""

import pytest

from segapp.checkpoints.checkpoint import load_checkpoint
from segapp.errors import MisuseError
from tests.inference.checkpoints import write_checkpoint

ALLOWED = ["tests.inference.checkpoints"]


def refusal(path, allowed=ALLOWED):
    with pytest.raises(MisuseError) as caught:
        load_checkpoint(path, allowed)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_missing_file_names_its_neighbours(tmp_path):
    write_checkpoint(tmp_path / "best.ckpt")
    assert "best.ckpt" in refusal(tmp_path / "bast.ckpt")
    assert "best.ckpt" in refusal(tmp_path / "something")
    assert "best.ckpt" in refusal(tmp_path)
    assert "folder does not exist" in refusal(tmp_path / "nowhere" / "best.ckpt")
