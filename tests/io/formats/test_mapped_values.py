"""Mapped values: those of the file from any byte on, read-only, and never more than there are."""

from pathlib import Path

import numpy as np
import pytest

from segapp.io.formats.mapped_values import map_values

VALUES = np.arange(12, dtype=">i2")


@pytest.mark.parametrize("offset", [0, 5, 5000])
def test_values_are_those_of_the_file(tmp_path: Path, offset: int) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(offset) + VALUES.tobytes())
    mapped = map_values(tmp_path / "a.raw", VALUES.dtype, offset, 12)
    np.testing.assert_array_equal(mapped, VALUES)
    assert not mapped.flags.writeable
    with pytest.raises(ValueError, match="greater than file size"):
        map_values(tmp_path / "a.raw", VALUES.dtype, offset, 13)
