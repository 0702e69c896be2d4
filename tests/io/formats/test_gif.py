"""GIF: one frame is an image, an animation is not."""

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from segapp.errors import SegappError
from segapp.io import read_raw, read_shape


def test_gif_is_read_and_an_animation_refused(tmp_path: Path) -> None:
    frames = [PIL.Image.fromarray(np.eye(9, dtype=np.uint8) * v) for v in (255, 99)]
    frames[0].save(tmp_path / "a.gif")
    np.testing.assert_array_equal(read_raw(tmp_path / "a.gif"), np.eye(9))  # indices: black, white
    frames[0].save(tmp_path / "b.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(SegappError, match=r"b\.gif: an animated GIF"):
        read_shape(tmp_path / "b.gif")
