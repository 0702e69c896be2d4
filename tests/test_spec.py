"""A spec survives plain types, and refuses what no network was trained with."""

import dataclasses
import json

import pytest

from segapp.errors import MisuseError
from segapp.spec import Intensity, Resolution, Spec

PLAIN = {"classes": ("sky", "road"), "background": 0, "palette": ((0, 0, 0), (9, 8, 7)), "channels": 3}
FULL = Spec(
    **PLAIN,
    intensity=Intensity("range", -160.0, 240.0),
    resize=(64, 96),
    symmetries=("horizontal",),
    scales=(0.5, 1.0),
    min_object=(0, 20),
    resolution=Resolution(um_per_pixel=0.5),
)


def test_it_comes_back_from_json():
    assert Spec.from_dict(json.loads(json.dumps(FULL.to_dict()))) == FULL


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": ("sky",)}, "2 to 255"),
        ({"classes": ("sky", "sky")}, "sky"),
        ({"classes": ("sky", "mean")}, "mean"),
        ({"classes": ("sky", "a\nb")}, "one line"),
        ({"palette": ((0, 0, 0),)}, "palette"),
        ({"background": 2}, "background"),
        ({"channels": 17}, "channels"),
        ({"overlap": 1.0}, "overlap"),
        ({"window": (0, 64)}, "window"),
        ({"resize": (64, 10_000)}, "resize"),
        ({"symmetries": ("diagonal",)}, "diagonal"),
        ({"symmetries": ("vertical", "vertical")}, "must differ"),
        ({"scales": ()}, "scales"),
        ({"blend": "box"}, "blend"),
        ({"min_hole": (1,)}, "min_hole"),
    ],
)
def test_settings_that_no_network_has_are_refused_by_name(change, words):
    with pytest.raises(MisuseError, match=words):
        dataclasses.replace(FULL, **change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 99}, "99"),
        ({"extra": 1}, "extra"),
        ({"channels": "3"}, "channels"),
        ({"palette": [[0, 0, 0], [256, 0, 0]]}, "palette"),
        ({"overlap": float("nan")}, "overlap"),
        ({"intensity": {"kind": "range", "low": [1]}}, "intensity"),
        ({"resolution": {"um_per_pixel": "0.5"}}, "resolution"),
        ({"resolution": [1]}, "resolution"),
    ],
)
def test_a_damaged_dictionary_is_refused_by_name(change, words):
    with pytest.raises(MisuseError, match=words):
        Spec.from_dict(FULL.to_dict() | change)


@pytest.mark.parametrize("values", [("range", 1, 1), ("percentile", -1, 99), ("percentile", 0, 101), ("other", 0, 1)])
def test_intensities_that_mean_nothing_are_refused(values):
    with pytest.raises(MisuseError, match="intensity"):
        Intensity(*values)


@pytest.mark.parametrize("values", [(None, None), (1, 0.5), (-1, None), (64, None), (None, 0), (None, float("nan"))])
def test_resolutions_that_no_slide_has_are_refused(values):
    with pytest.raises(MisuseError, match="resolution"):
        Resolution(*values)


def test_a_resolution_is_written_in_words():
    assert str(Resolution(level=1)) == "level 1" and str(Resolution(um_per_pixel=0.5)) == "0.5 µm per pixel"
