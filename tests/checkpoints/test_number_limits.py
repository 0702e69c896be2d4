"""Numbers of a file have bounds; honest ones are far below."""

import pytest

from segapp.checkpoints.number_limits import require_small_batch, require_within_limit
from segapp.checkpoints.roles import LOSS, NETWORK, SOURCE, TRANSFORM
from segapp.errors import MisuseError


@pytest.mark.parametrize(
    ("value", "role", "place"),
    [
        (4097, NETWORK, "model.net.encoder.widths"),
        (-5000, NETWORK, "network.x"),
        (17, TRANSFORM, "data.augment.scale_limit"),
        (5000.0, TRANSFORM, "data.augment.height"),
        (1e-9, TRANSFORM, "data.augment.step_factor"),
        (10**6, SOURCE, "data set.train"),
        (8193, None, "data.crop"),
    ],
)
def test_a_number_beyond_its_bound_is_refused_by_its_place(value, role, place):
    with pytest.raises(MisuseError, match=place):
        require_within_limit(value, role, place)


@pytest.mark.parametrize(
    ("value", "role", "place"),
    [
        (2048, NETWORK, "model.net.encoder.widths"),
        (float("inf"), LOSS, "model.loss.x"),
        (10**6, None, "trainer.max_steps"),
        (True, TRANSFORM, "data.augment.step_factor"),
        (512, SOURCE, "data.source.size"),
    ],
)
def test_honest_numbers_pass(value, role, place):
    require_within_limit(value, role, place)


def test_a_batch_has_a_bound_of_its_own():
    require_small_batch({"batch_size": 64, "crop": [1024, 1024], "resize": None})
    for section in ({"batch_size": 8, "crop": 8192}, {"batch_size": 4096, "resize": [512, 512]}):
        with pytest.raises(MisuseError, match=r"--data\.batch_size"):
            require_small_batch(section)


@pytest.mark.parametrize("data", [{"crop": [None, 5]}, {"crop": 64, "batch_size": None}, {"resize": ["a", 5]}])
def test_sizes_of_a_batch_are_numbers(data):
    with pytest.raises(MisuseError, match="whole numbers"):
        require_small_batch(data)
