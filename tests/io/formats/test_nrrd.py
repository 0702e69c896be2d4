"""NRRD: a detached header makes one file beside it be read, and is checked before a library of C reads it."""

import numpy as np
import pytest
import SimpleITK

from segapp.errors import SegappError
from segapp.io import list_parts, read_raw
from tests.io.formats.test_itk import NRRD


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (NRRD + b"data file: ../secret.raw\n", r"'\.\./secret\.raw'"),
        (NRRD + b"data file: /etc/passwd\n", "one file beside it"),
        (NRRD + b"datafile: LIST\nsecret.raw\n", "one file beside it"),
        (NRRD + b"data file: s%02d.raw 1 2 1\n", "one file beside it"),
        (NRRD + b"data file: -\n", "one file beside it"),
        (NRRD + b"data file: secret.raw\nData File: other.raw\n", "several files"),
        (NRRD + b"data file: secret.raw\n\ndatafile: other.raw\n", "several files"),
        (NRRD + b"byte skip: 3\ndata file: secret.raw\n", "skips a part"),
        (NRRD + b"line skip: -1\ndata file: secret.raw\n", "skips a part"),
        (NRRD + b"# " + b"x" * 2**20 + b"\ndata file: secret.raw\n", "more than"),
    ],
)
def test_other_headers_are_refused_before_the_library_reads_them(tmp_path, header, found, monkeypatch):
    (tmp_path / "secret.raw").write_bytes(bytes(8))
    (tmp_path / "a.nhdr").write_bytes(header)
    monkeypatch.setattr(SimpleITK, "ImageFileReader", None)
    with pytest.raises(SegappError, match=rf"a\.nhdr: NRRD header .*{found}") as error:
        list_parts(tmp_path / "a.nhdr")
    assert "\n" not in str(error.value)


def test_a_header_is_read_with_and_without_a_blank_line(tmp_path):
    (tmp_path / "a b.raw").write_bytes(bytes(range(8)))
    for end in (b"\n", b"\n\n"):
        (tmp_path / "a.nhdr").write_bytes(NRRD + b"byte skip: 0\ndata file: a b.raw" + end)
        assert np.ravel(read_raw(list_parts(tmp_path / "a.nhdr")[1])).tolist() == [4, 5, 6, 7]
