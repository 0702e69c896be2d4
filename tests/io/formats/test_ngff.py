"""The metadata of images in a store."""

import json

import pytest

from segapp.errors import SegappError
from segapp.io.formats.ngff import list_labels, read_multiscale
from tests.io.ome_zarrs import make_multiscale


def write(store, version="0.4", **changes):
    found = {"multiscales": [make_multiscale("czyx", [1, 2, 0.5, 0.25]) | changes]}
    if version == "0.4":
        (store / ".zattrs").write_text(json.dumps(found))
    else:
        content = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": version, **found}}}
        (store / "zarr.json").write_text(json.dumps(content))
    return read_multiscale(store, "")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_image_is_described(tmp_path, version):
    image = write(tmp_path, version)
    assert (image.name, image.axes, image.scale) == ("0", "czyx", (1, 2, 0.5, 0.25))
    assert image.find_micrometres("x") == 0.25 and image.find_micrometres("t") is None
    mask = image.drop_channels()
    assert mask.axes == "zyx" and mask.scale == (2, 0.5, 0.25) and mask.units == ("micrometer",) * 3


def test_axes_may_be_letters(tmp_path):
    image = write(tmp_path, axes=["c", "z", "Y", "X"])
    assert image.axes == "czyx" and image.find_micrometres("x") is None


def test_the_first_versions_have_all_axes_and_do_not_name_them(tmp_path):
    multiscale = {"version": "0.1", "datasets": [{"path": "0"}]}
    (tmp_path / ".zattrs").write_text(json.dumps({"multiscales": [multiscale]}))
    image = read_multiscale(tmp_path, "")
    assert image.axes == "tczyx" and image.find_micrometres("x") is None
    (tmp_path / ".zattrs").write_text(json.dumps({"multiscales": [multiscale | {"version": "0.4"}]}))
    with pytest.raises(SegappError, match="axes"):
        read_multiscale(tmp_path, "")


def test_transformations_are_applied_in_their_order(tmp_path):
    own = [{"type": "scale", "scale": [1, 1, 2, 2]}, {"type": "translation", "translation": [0, 0, 3, 0]}]
    after = [{"type": "identity"}, {"type": "scale", "scale": [1, 1, 10, 5]}]
    datasets = [{"path": "0", "coordinateTransformations": own}]
    image = write(tmp_path, datasets=datasets, coordinateTransformations=after)
    assert image.scale == (1, 1, 20, 10) and image.offset == (0, 0, 30, 0)
    (dataset,) = image.drop_channels().to_dict("mask")["datasets"]
    assert dataset["coordinateTransformations"][1] == {"type": "translation", "translation": [0, 30, 0]}


def test_without_a_scale_pixels_are_not_measured(tmp_path):
    assert write(tmp_path, datasets=[{"path": "0"}]).find_micrometres("x") is None


def test_the_largest_level_is_read_whatever_its_place(tmp_path):
    datasets = []
    for name, side in (("2", 10), ("1", 20), ("0", 40), ("gone", 80)):
        step = {"type": "scale", "scale": [1, 1, 40 / side, 40 / side]}
        datasets.append({"path": name, "coordinateTransformations": [step]})
        if name != "gone":
            (tmp_path / name).mkdir()
            (tmp_path / name / ".zarray").write_text(json.dumps({"shape": [1, 3, side, side]}))
    image = write(tmp_path, datasets=datasets)
    assert image.name == "0" and image.scale == (1, 1, 1, 1)
    assert write(tmp_path, datasets=datasets[::-1]).name == "gone"  # whose absence is reported
    (tmp_path / "1" / ".zarray").write_text('{"shape": 3}')
    with pytest.raises(SegappError, match="3 are no sizes"):
        write(tmp_path, datasets=datasets)
    with pytest.raises(SegappError, match="65 levels"):
        write(tmp_path, datasets=datasets[:1] * 65)


BAD = {
    "twice": ({"axes": [{"name": "y"}, {"name": "y"}]}, "each may be there once"),
    "no rows": ({"axes": [{"name": "z"}, {"name": "x"}]}, "without the axes y and x"),
    "no arrays": ({"datasets": []}, "wrong"),
    "text": ({"datasets": "0"}, "wrong"),
    "matrix": ({"coordinateTransformations": [{"type": "affine", "affine": [[1]]}]}, "affine"),
    "file": ({"coordinateTransformations": [{"type": "scale", "path": "s"}]}, "wrong"),
    "not finite": ({"coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1, 1e999]}]}, "positive"),
    "text of scale": ({"coordinateTransformations": [{"type": "scale", "scale": ["a"] * 4}]}, "wrong"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_read_is_reported(tmp_path, name):
    changes, found = BAD[name]
    with pytest.raises(SegappError, match=found) as error:
        write(tmp_path, **changes)
    assert str(tmp_path) in str(error.value)


def test_label_images_are_listed(tmp_path):
    assert list_labels(tmp_path) == []
    for name in ("nuclei", "cells"):
        (tmp_path / "labels" / name).mkdir(parents=True)
    (tmp_path / "labels" / ".zattrs").write_text("{}")
    assert list_labels(tmp_path) == [":/labels/cells", ":/labels/nuclei"]
    with pytest.raises(SegappError, match=r"there is :/labels/cells, :/labels/nuclei"):
        read_multiscale(tmp_path, "labels/other")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"ome": 3}', "no multiscales"),
        ('{"plate": {}}', ":/A/1/0"),
        ('{"bioformats2raw.layout": 3}', ":/0'"),
        ("{}", "no multiscales"),
    ],
)
def test_a_store_of_other_content_is_explained(tmp_path, content, found):
    (tmp_path / ".zattrs").write_text(content)
    with pytest.raises(SegappError, match=found):
        read_multiscale(tmp_path, "")


def test_the_only_image_of_a_series_needs_no_name(tmp_path):
    (tmp_path / ".zattrs").write_text('{"bioformats2raw.layout": 3}')
    for name in "01":
        (tmp_path / name).mkdir()
    write(tmp_path / "0")
    assert read_multiscale(tmp_path, "").name == "0/0"
    write(tmp_path / "1")
    with pytest.raises(SegappError, match=r"series of images.*:/0'"):
        read_multiscale(tmp_path, "")
