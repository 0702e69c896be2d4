"""Images of other channels, and files that cannot be opened."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import FilePart
from segapp.planning.channels import choose_channels


def choose(folder: Path, *shapes: tuple[int, ...] | None, may_exclude: bool = True) -> dict[str, object]:
    """Write images of these shapes, None for an empty file, and return what is decided about them, by the setting."""
    files = [folder / f"[{number}].tif" for number in range(len(shapes))]
    for file, shape in zip(files, shapes, strict=True):
        if shape is None:
            file.write_bytes(b"")
        else:
            tifffile.imwrite(file, np.zeros(shape, np.uint8), planarconfig="contig" if len(shape) > 2 else None)
    decisions = choose_channels([file.stem for file in files], list(map(FilePart, files)), may_exclude, "set")
    assert all(decision.reason for decision in decisions)
    return {decision.setting: decision.value for decision in decisions}


GREY, COLOUR, BANDS = (4, 4), (4, 4, 3), (4, 4, 5)


def test_grey_among_colour_becomes_colour_and_others_are_left_out(tmp_path: Path) -> None:
    assert choose(tmp_path, GREY, GREY) == {}
    assert choose(tmp_path, GREY, COLOUR) == {"set.channels": 3}
    assert choose(tmp_path, COLOUR, COLOUR, COLOUR, BANDS) == {"set.exclude": ["[[]3]"]}


def test_an_empty_file_is_left_out_and_several_are_an_error(tmp_path: Path) -> None:
    assert choose(tmp_path, None, GREY, COLOUR) == {"set.channels": 3, "set.exclude": ["[[]0]"]}
    with pytest.raises(SegappError, match=r"\[0\]\.tif"):
        choose(tmp_path, None, None, COLOUR)
    with pytest.raises(SegappError, match=r"\[0\]\.tif"):
        choose(tmp_path, None, GREY, may_exclude=False)
