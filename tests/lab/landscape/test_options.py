"""Numbers with which no landscape can be drawn are refused."""

import pytest

from segapp.errors import MisuseError
from segapp.lab.landscape.options import check_options

USUAL = {"points": 21, "radius": 1.0, "seeds": 5, "samples": 32, "eigenvalues": 0}


@pytest.mark.parametrize(
    ("option", "value"), [("points", 2), ("radius", 0.0), ("seeds", 1), ("samples", 0), ("eigenvalues", -1)]
)
def test_a_number_out_of_its_range_is_named(option, value):
    check_options(**USUAL)
    with pytest.raises(MisuseError, match=option):
        check_options(**USUAL | {option: value})
