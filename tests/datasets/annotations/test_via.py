"""VGG Image Annotator: regions of versions 1 and 2."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segapp.datasets import Via
from segapp.errors import MisuseError
from tests.datasets.annotations.samples import draw, read_masks, write_image, write_json


def region(name: str, label: Any = "cat", **shape: Any) -> dict[str, Any]:
    attributes = label if isinstance(label, dict) else {"kind": label}
    return {"shape_attributes": {"name": name, **shape}, "region_attributes": attributes}


CAT = region("rect", x=0, y=0, width=3, height=3)
DOG = region("polygon", "dog", all_points_x=[2, 5, 5, 2], all_points_y=[1, 1, 4, 4])


def paint(root: Path, regions: Any, mask: Via | None = None, project: bool = False) -> np.ndarray:
    write_image(root)
    content = {"a.png123": {"filename": "a.png", "size": 123, "regions": regions, "file_attributes": {}}}
    write_json(root / "all.json", {"_via_settings": {}, "_via_img_metadata": content} if project else content)
    return read_masks(root, mask or Via(), "all.json")["a"]


@pytest.mark.parametrize("regions", [[CAT, DOG], {"0": CAT, "1": DOG}])
@pytest.mark.parametrize("project", [False, True])
def test_regions_of_both_versions(tmp_path: Path, regions: Any, project: bool) -> None:
    expected = "11100000 11222000 11222000 00222000 00000000 00000000"
    assert paint(tmp_path, regions, project=project).tolist() == draw(expected)


def test_circles_and_ellipses(tmp_path: Path) -> None:
    assert paint(tmp_path, [region("circle", cx=3, cy=3, r=2)]).sum() == pytest.approx(4 * np.pi, rel=0.2)
    turned = region("ellipse", cx=4, cy=3, rx=2.9, ry=1, theta=np.pi / 2)
    assert paint(tmp_path, [turned])[:, 3:5].sum() == paint(tmp_path, [turned]).sum() > 8


def test_regions_without_attributes_have_an_empty_name(tmp_path: Path) -> None:
    nameless = region("rect", {}, x=0, y=0, width=3, height=3)
    assert paint(tmp_path, [nameless], Via(labels={"": "dog"})).max() == 2
    with pytest.raises(MisuseError, match=r"'' \(1\)"):
        paint(tmp_path, [nameless])


def test_of_several_attributes_one_is_the_class(tmp_path: Path) -> None:
    several = region("rect", {"kind": "dog", "age": "3"}, x=0, y=0, width=3, height=3)
    with pytest.raises(MisuseError, match=r"'kind', 'age'.*mask\.attribute"):
        paint(tmp_path, [several])
    assert paint(tmp_path, [several], Via("kind")).max() == 2
    boxes = region("rect", {"kind": {"cat": True, "dog": False}}, x=0, y=0, width=3, height=3)
    assert paint(tmp_path, [boxes]).max() == 1


def test_points_are_counted_and_not_painted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not paint(tmp_path, [region("point", cx=1, cy=1), region("polyline")]).any()
    assert "1 points, 1 lines" in caplog.text


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (region("polygon", all_points_x=[1, 2, 3], all_points_y=[1, 2]), "3 x and 2 y"),
        (region("polygon", all_points_x=[1, 2, None], all_points_y=[1, 2, 3]), "coordinate is nan"),
        (region("rect", x=0, y=0, width=3), "'height'"),
        (region("spiral"), "'spiral'"),
        ({"region_attributes": {}}, "an object is expected"),
    ],
)
def test_damaged_regions_are_named(tmp_path: Path, one: dict[str, Any], found: str) -> None:
    with pytest.raises(MisuseError, match=rf"all\.json.*{found}"):
        paint(tmp_path, [one])


def test_other_files_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path)
    write_json(tmp_path / "all.json", {"images": []})
    with pytest.raises(MisuseError, match=r"all\.json: 'images'"):
        read_masks(tmp_path, Via(), "all.json")
