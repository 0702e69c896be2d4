"""Settings of the data module that cannot be."""

from typing import Any

import pytest

from segapp.datasets import Folder
from segapp.errors import MisuseError
from segapp.loading.settings_checks import check_resize, to_pair
from tests.loading.conftest import data_module

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"resize": 8}, "exclude each other"),
        ({"batch_size": 0}, "batch_size is 1 or more"),
        ({"crop": (0, 8)}, "crop needs a height and width"),
        ({"crops_per_image": 0}, "crops_per_image"),
        ({"oversample": 1.5}, "oversample .* 0 … 1"),
        ({"oversample": 0.5, "crop": None}, "set crop, or oversample to 0"),
        ({"num_workers": -1}, "num_workers"),
        ({"seed": -1}, "seed is 0 or more"),
    ],
)
def test_settings_that_cannot_be(folder: Folder, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(MisuseError, match=sentence):
        data_module(folder, **settings)


@pytest.mark.parametrize(("size", "pair"), [(None, None), (32, (32, 32)), ((16, 48), (16, 48)), ([16, 48], (16, 48))])
def test_one_number_is_a_square(size: Any, pair: Any) -> None:
    assert to_pair(size) == pair


def test_blocks_are_not_resized() -> None:
    check_resize((8, 8), cuts_images=False)
    check_resize(None, cuts_images=True)
    with pytest.raises(MisuseError, match=r"resize=.* crop"):
        check_resize((8, 8), cuts_images=True)
