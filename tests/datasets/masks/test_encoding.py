"""What an encoding knows about the classes."""

import pytest

from segapp.datasets.masks.encoding import Labels
from segapp.errors import MisuseError


def test_a_class_is_found_by_its_name_and_an_unknown_one_names_the_setting() -> None:
    labels = Labels(("background", "cell"), 0)
    assert labels.index("cell", "mask.above") == 1
    with pytest.raises(MisuseError, match=r"mask\.above.*'cel'.*background, cell"):
        labels.index("cel", "mask.above")
