"""Libraries of extras: imported when they are needed, and named when they are missing."""

import math
from pathlib import Path

import pytest

from segapp.errors import MisuseError
from segapp.io.formats.libraries import import_library


def test_a_library_is_imported():
    assert import_library("math", "medical", Path("a.nii"), "NIfTI") is math


def test_a_missing_one_is_named_with_the_file_and_the_extra():
    with pytest.raises(MisuseError, match=r"a\.nii: NIfTI .*no_such_library.*pip install 'segapp\[medical\]'"):
        import_library("no_such_library", "medical", Path("a.nii"), "NIfTI")
