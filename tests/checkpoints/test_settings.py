"""Checkpoints and bundles have one version, and their spec is read in one way."""

import pytest

from segapp.checkpoints.settings import VERSION, read_spec, require_version
from segapp.errors import MisuseError
from tests.inference.checkpoints import make_spec


@pytest.mark.parametrize("found", [VERSION - 1, VERSION + 1, str(VERSION), None])
@pytest.mark.parametrize("kind", ["checkpoint", "bundle"])
def test_another_version_is_refused_with_both_numbers(kind, found):
    require_version("x", kind, {"version": VERSION}, "do so")
    with pytest.raises(MisuseError, match=f"x: a {kind} of version {found!r}; .* version {VERSION}: do so"):
        require_version("x", kind, {"version": found}, "do so")


@pytest.mark.parametrize("damaged", [{}, {"classes": 3}, None, {"unknown": 1}])
def test_a_damaged_spec_is_refused_with_its_file(damaged):
    assert read_spec("x", make_spec().to_dict()) == make_spec()
    with pytest.raises(MisuseError, match=r"^x: "):
        read_spec("x", damaged)
