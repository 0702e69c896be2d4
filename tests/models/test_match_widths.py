from functools import partial

import pytest
import torch

from segapp.errors import MisuseError
from segapp.models import BlockStyle, PlainEncoder, UNet, count_params, match_params

WIDTHS = (32, 64, 128)


def variant(long_skip, short_skip):
    def build(widths):
        encoder = partial(PlainEncoder, widths=widths, block=BlockStyle(short_skip))
        return UNet(3, 2, encoder, long_skip=long_skip)

    return build


@pytest.mark.parametrize(("long_skip", "short_skip"), [("none", "add"), ("add", "concat"), ("concat", "concat")])
@pytest.mark.slow
def test_every_variant_agrees_within_one_percent(long_skip, short_skip):
    target = count_params(variant("concat", "none")(WIDTHS))
    widths = match_params(variant(long_skip, short_skip), WIDTHS, target)
    assert abs(count_params(variant(long_skip, short_skip)(widths)) / target - 1) <= 0.01
    assert all(isinstance(width, int) for width in widths)


def test_the_network_that_is_already_there_is_found_unchanged():
    target = count_params(variant("concat", "none")(WIDTHS))
    assert match_params(variant("concat", "none"), WIDTHS, target) == list(WIDTHS)


def test_no_weight_is_sampled_in_a_search(monkeypatch):
    target = count_params(variant("concat", "none")(WIDTHS))
    for name in ("normal_", "uniform_"):
        monkeypatch.setattr(torch.Tensor, name, lambda *_: pytest.fail("sampled"))
    assert match_params(variant("concat", "none"), WIDTHS, target) == list(WIDTHS)


def test_widths_keep_their_shape_and_stay_even_where_that_suffices():
    widths = match_params(variant("add", "add"), (64, 128, 256), 2_000_000)
    assert all(width % 8 == 0 for width in widths)
    assert widths[0] < widths[1] < widths[2]


def test_an_unreachable_target_names_the_nearest():
    with pytest.raises(MisuseError, match=r"nearest are \[1, 1, 1\] with \d+"):
        match_params(variant("concat", "none"), WIDTHS, target=20)


def test_a_build_that_ignores_widths_ends_with_the_sentence():
    with pytest.raises(MisuseError, match=r"the nearest are .* with 10"):
        match_params(lambda widths: torch.nn.Linear(9, 1), (8,), target=1000)
