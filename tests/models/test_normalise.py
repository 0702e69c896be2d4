import pytest
import torch

from segapp.errors import MisuseError
from segapp.models import Normalise


def test_a_value_worked_by_hand():
    normalise = Normalise(2, mean=[0.5, 0.2], std=[0.25, 0.1])
    images = torch.tensor([0.75, 0.1]).reshape(1, 2, 1, 1)
    assert torch.allclose(normalise(images).flatten(), torch.tensor([1.0, -1.0]))


def test_uint8_and_float_say_the_same():
    images = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8)
    normalise = Normalise(3)
    assert torch.equal(normalise(images), normalise(images.float() / 255))


def test_stays_float32_under_autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert Normalise(1)(torch.zeros(1, 1, 2, 2, dtype=torch.uint8)).dtype == torch.float32


def test_a_bf16_network_normalises_precisely_before_it_rounds():
    images = torch.randint(0, 256, (1, 1, 16, 16), dtype=torch.uint8)
    exact = Normalise(1)(images)
    assert torch.equal(Normalise(1).bfloat16()(images), exact.bfloat16())


def test_mean_and_std_travel_with_the_weights():
    target = Normalise(3)
    target.load_state_dict(Normalise(3, [0.1, 0.2, 0.3], 0.5).state_dict())
    assert torch.allclose(target.mean.flatten(), torch.tensor([0.1, 0.2, 0.3]))


def test_memory_format_is_kept():
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    assert Normalise(3)(images).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Normalise(3, mean=[0.5, 0.5]), "mean needs one number, or one for each of 3 channels"),
        (lambda: Normalise(1, std=0.0), "std must be positive numbers, got 0.0"),
        (lambda: Normalise(3)(torch.zeros(1, 1, 2, 2)), "needs images of 3 channels, got 1"),
        (lambda: Normalise(1)(torch.zeros(1, 1, 2, 2, dtype=torch.int64)), "got torch.int64"),
    ],
)
def test_misuse_is_told(make, sentence):
    with pytest.raises(MisuseError, match=sentence):
        make()
