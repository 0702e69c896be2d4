"""CVAT for images: one XML file, shapes in the order of z."""

from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Cvat
from segapp.errors import MisuseError
from tests.datasets.annotations.samples import draw, read_masks, write_image


def paint(root: Path, shapes: str, image: str = 'name="sub/a.png" width="8" height="6"') -> np.ndarray:
    write_image(root)
    meta = "<version>1.1</version><meta><task><labels><label><name>cat</name></label></labels></task></meta>"
    (root / "all.xml").write_text(f"<annotations>{meta}<image id='0' {image}>{shapes}</image></annotations>")
    return read_masks(root, Cvat(), "all.xml")["a"]


CAT = '<polygon label="cat" points="0,0;3,0;3,3;0,3" z_order="{}"><attribute name="a">1</attribute></polygon>'
DOG = '<box label="dog" xtl="2" ytl="1" xbr="5" ybr="4" z_order="0"/>'


def test_shapes_are_painted_in_the_order_of_z(tmp_path: Path) -> None:
    assert paint(tmp_path, CAT.format(0) + DOG)[1].tolist() == [1, 1, 2, 2, 2, 0, 0, 0]
    assert paint(tmp_path, CAT.format(3) + DOG)[1].tolist() == [1, 1, 1, 2, 2, 0, 0, 0]


def test_masks_are_runs_along_rows(tmp_path: Path) -> None:
    mask = '<mask label="dog" rle="1, 3, 2" left="3" top="2" width="3" height="2" z_order="0"/>'
    assert paint(tmp_path, mask).tolist() == draw("00000000 00000000 00002200 00020000 00000000 00000000")


def test_ellipses_and_turned_boxes(tmp_path: Path) -> None:
    ellipse = '<ellipse label="cat" cx="4" cy="3" rx="3" ry="2"/>'
    assert paint(tmp_path, ellipse).sum() == pytest.approx(6 * np.pi, rel=0.2)
    turned = paint(tmp_path, '<box label="cat" xtl="2" ytl="2" xbr="6" ybr="4" rotation="90"/>')
    assert turned.sum() == 8 and turned[1:5, 3:5].all()


def test_images_without_shapes_have_nothing_on_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    others = '<tag label="cat"/><points label="cat" points="1,1"/><polyline label="cat" points="1,1;2,2"/>'
    skeleton = '<skeleton label="cat"><points label="1" points="1,1"/></skeleton>'
    assert not paint(tmp_path, others + skeleton).any()
    assert "1 points, 1 lines, 1 skeletons" in caplog.text


@pytest.mark.parametrize(
    ("shapes", "found"),
    [
        ('<polygon label="cat" points="1,1;2,2"/>', "2 points"),
        ('<polygon label="cat" points="1,1;2;3,3"/>', "pairs of numbers"),
        ('<polygon label="cat"/>', "pairs of numbers"),
        ('<box label="cat" xtl="nan" ytl="1" xbr="5" ybr="4"/>', "'xtl'"),
        ('<box label="cat" ytl="1" xbr="5" ybr="4"/>', "'xtl'"),
        ('<mask label="cat" rle="1, x" left="0" top="0" width="3" height="2"/>', "whole numbers"),
        ('<mask label="cat" rle="1, 2" left="0" top="0" width="3" height="2"/>', "add up to 3"),
        ('<mask label="cat" rle="6" left="6" top="0" width="3" height="2"/>', "not inside the image"),
        ('<mask label="cat" rle="99999999999999999999" left="6" top="0" width="3" height="2"/>', "whole numbers"),
        ("<a>" * 100 + "</a>" * 100, "inside each other"),
    ],
)
def test_damaged_shapes_are_named(tmp_path: Path, shapes: str, found: str) -> None:
    with pytest.raises(MisuseError, match=rf"all\.xml.*{found}"):
        paint(tmp_path, shapes)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "empty"),
        ("{}", "not XML"),
        ("<annotations><image>", "not XML, or cut off"),
        ("<annotation><object/></annotation>", "'annotation'"),
        ('<annotations><track id="0"/></annotations>', "video"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><annotations>&x;</annotations>', "DOCTYPE"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><annotations>&x;</annotations>', "DOCTYPE"),
        ('<!DOCTYPE a [<!ATTLIST image name CDATA "long">]><annotations><image/></annotations>', "DOCTYPE"),
        ('<annotations><image name="a.png"/></annotations>', "'height'"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: str, found: str) -> None:
    write_image(tmp_path)
    (tmp_path / "all.xml").write_text(content)
    with pytest.raises(MisuseError, match=rf"all\.xml.*{found}"):
        read_masks(tmp_path, Cvat(), "all.xml")


def test_the_size_of_the_file_is_compared(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="60 x 80"):
        paint(tmp_path, DOG, 'name="a.png" width="80" height="60"')
