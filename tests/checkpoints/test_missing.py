"""A checkpoint that is not there."""

from tests.checkpoints.refusal import refusal
from tests.inference.checkpoints import write_checkpoint


def test_a_missing_file_names_its_neighbours(tmp_path):
    write_checkpoint(tmp_path / "best.ckpt")
    assert "best.ckpt" in refusal(tmp_path / "bast.ckpt")
    assert "best.ckpt" in refusal(tmp_path / "something")
    assert "best.ckpt" in refusal(tmp_path)
    assert "folder does not exist" in refusal(tmp_path / "nowhere" / "best.ckpt")
