"""`--tolerance` and `--cldice` of `segapp test`."""

from types import SimpleNamespace

import pytest

from segapp.cli.scoring_options import apply_scoring_options, require_pixel_sizes
from segapp.errors import MisuseError
from segapp.metrics import BoundaryUnit, CentrelineDice


def apply(tolerance=None, cldice=False, **sizes):
    model = SimpleNamespace(more_scores=(), unit=BoundaryUnit())
    data = SimpleNamespace(list_pixel_sizes=lambda split: sizes if split == "test" else {})
    apply_scoring_options(SimpleNamespace(tolerance=tolerance, cldice=cldice), model)
    require_pixel_sizes(model.unit, data)
    return model


def test_nothing_changes_unasked():
    model = apply(a=None)
    assert model.more_scores == () and model.unit == BoundaryUnit()


def test_options_reach_the_module():
    model = apply("1mm", True, a=(500.0, 250.0))
    assert model.more_scores == (CentrelineDice,) and str(model.unit) == "1mm"
    assert str(apply("3px", a=None).unit) == "3px"


def test_an_image_without_a_size_is_named_before_anything_is_scored():
    with pytest.raises(MisuseError, match=r"^heart: its file states no size"):
        apply("1mm", other=(1.0, 1.0), heart=None)
