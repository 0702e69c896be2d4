"""The contract of a format: what one that says little does by itself."""

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io.file_part import FilePart
from segapp.io.formats.format import Format, HeldMasks, MaskLayout


class Least(Format):
    """A format that can be read and no more."""

    name = "least"
    suffixes = (".lst",)
    magic = (b"LEAST", b"\x89LST")

    def read_header(self, file):
        raise SegappError("not read")

    def read_window(self, file, header, window):
        raise SegappError("not read")


class Kept(Least):
    """A format that writes whole masks."""

    def write_masks(self, path, masks, layout):
        self.written = path, masks, layout


def test_a_format_is_recognised_by_any_of_its_first_bytes(tmp_path):
    assert [Least().recognises(start) for start in (b"LEAST...", b"\x89LST", b"LEAS", b"")] == [
        True,
        True,
        False,
        False,
    ]
    file = FilePart(tmp_path / "a.lst", "")
    assert Least().list_parts(file) == ("",)
    assert Least().list_files(file) == (tmp_path / "a.lst",)


def test_what_a_format_cannot_write_is_refused_by_its_name(tmp_path):
    layout = MaskLayout({"": (1, 1)})
    with pytest.raises(ValueError, match="least"):
        Least().write_image(tmp_path / "a.lst", np.zeros((1, 1), np.uint8))
    with pytest.raises(ValueError, match="least"), Least().open_mask(tmp_path / "a.lst", layout) as writer:
        writer.add(np.zeros((1, 1), np.uint8))
    with pytest.raises(NotImplementedError, match="least"):
        Least().read_valid(FilePart(tmp_path / "a.lst", ""), (0, 0, 1, 1))


def test_rows_are_held_until_the_masks_of_all_parts_are_complete(tmp_path):
    layout = MaskLayout({"a": (4, 2), "b": (1, 3)})
    format = Kept()
    with format.open_mask(tmp_path / "a.lst", layout, lambda bands: (band + 1 for band in bands)) as writer:
        rows = np.zeros((2, 2), np.uint8)
        writer.add(rows, "a")
        rows[:] = 7  # the caller may use its array again
        writer.add(np.full((1, 3), 5, np.uint8), "b")
        writer.add(rows, "a")
        assert not hasattr(format, "written")
    path, masks, given = format.written
    assert (path, given) == (tmp_path / "a.lst", layout)
    assert masks["a"].tolist() == [[1, 1], [1, 1], [8, 8], [8, 8]] and masks["b"].tolist() == [[6, 6, 6]]


@pytest.mark.parametrize(("height", "named"), [(3, "3 of 4 rows"), (5, "5 of 4 rows")])
def test_too_few_and_too_many_rows_are_refused_with_their_part(height, named):
    held = HeldMasks(MaskLayout({"z=1": (4, 2)}))
    held.add(np.zeros((height, 2), np.uint8), "z=1")
    with pytest.raises(SegappError, match=f"{named}.*z=1"):
        held.join(iter)
