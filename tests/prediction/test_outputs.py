"""The outputs of one image: every writer gets its blocks, and what it needs of the mask."""

import json

import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.inference.readable_image import ArrayImage
from segapp.io import read_raw
from segapp.prediction import outputs
from segapp.prediction.manifest import Row
from segapp.prediction.outputs import ImageOutputs
from segapp.prediction.tasks import ImageTask
from segapp.prediction.writers.registry import WRITERS
from segapp.prediction.writers.writer import OutputBlock
from tests.inference.checkpoints import make_spec

SIZE = 60, 50


def make_task(folder, kinds, suffix=".tif"):
    path = folder / f"a{suffix}"
    return ImageTask(
        path, {kind: folder / kind / f"a{WRITERS[kind].choose_suffix(path)}" for kind in kinds}, path.name, "a"
    )


def make_mask():
    indices = np.zeros(SIZE, np.uint8)
    indices[10:31, 7:28] = 1
    indices[50, 40] = 1  # an object of one pixel
    return indices


def collect(task, spec, block=20):
    indices = make_mask()
    image = ArrayImage(np.zeros((*SIZE, 3), np.uint8), "a")
    with ImageOutputs(task, image, {}, spec, {"probability_dtype": "uint8"}) as collected:
        for y in range(0, SIZE[0], block):
            for x in range(0, SIZE[1], block):
                part = indices[y : y + block, x : x + block]
                probabilities = np.stack([part == 0, part == 1]).astype(np.float32)
                collected.add(OutputBlock(y, x, part, probabilities), confidence=float(part.size))
    collected.write()
    return collected.make_row(Row("a", 0, 0, "model", "begun"))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("smallest", [0, 5])
def test_all_kinds_at_once(tmp_path, monkeypatch, streamed, smallest):
    if streamed:
        monkeypatch.setattr(outputs, "STREAMED_FROM", 1)
    row = collect(make_task(tmp_path, WRITERS), make_spec(min_object=(0, smallest)))
    expected = make_mask()
    expected[50, 40] = smallest == 0
    assert np.array_equal(read_raw(tmp_path / "mask/a.tif").squeeze(), expected)
    assert not tifffile.imread(tmp_path / "uncertainty/a.tif").any()
    assert np.array_equal(np.load(tmp_path / "probability/a.npy")[1], make_mask() * 255)
    assert (tmp_path / "overlay/a.png").is_file()
    assert len(json.loads((tmp_path / "contours/a.geojson").read_text())["features"]) == 1 + (smallest == 0)
    assert len(json.loads((tmp_path / "coco/a.json").read_text())) == 1 + (smallest == 0)
    assert (row.status, row.height, row.width, row.confidence) == ("done", *SIZE, 1.0)
    assert row.counts == [int((expected == 0).sum()), int((expected == 1).sum())]


@pytest.mark.parametrize("kinds", [["contours"], ["mask", "overlay", "contours"]])
def test_regions_of_a_streamed_image_are_not_thinned(tmp_path, monkeypatch, kinds):
    """A TIFF of 4096 x 4096 to 8192 x 8192 pixels gave polygons at half its size."""
    monkeypatch.setattr(outputs, "STREAMED_FROM", 1)
    monkeypatch.setattr(outputs, "MAX_SIDE", 20)
    collect(make_task(tmp_path, kinds), make_spec())
    first = json.loads((tmp_path / "contours/a.geojson").read_text())["features"][0]
    assert first["properties"]["pixels"] == 21 * 21
    ring = np.array(first["geometry"]["coordinates"][0])
    assert ring.min(axis=0).tolist() == [7, 10] and ring.max(axis=0).tolist() == [28, 31]


@pytest.mark.parametrize("kinds", [["mask", "uncertainty"], ["uncertainty"]])
def test_a_cleaned_stream_is_counted_whichever_kinds_are_saved(tmp_path, monkeypatch, kinds):
    monkeypatch.setattr(outputs, "STREAMED_FROM", 1)
    row = collect(make_task(tmp_path, kinds), make_spec(min_object=(0, 5)))
    assert row.counts == [SIZE[0] * SIZE[1] - 441, 441]


def test_an_error_while_blocks_are_added_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "STREAMED_FROM", 1)
    task = make_task(tmp_path, WRITERS)
    image = ArrayImage(np.zeros((*SIZE, 3), np.uint8), "a")
    with (
        pytest.raises(SegappError, match="broken"),
        ImageOutputs(task, image, {}, make_spec(), {"probability_dtype": "float16"}),
    ):
        raise SegappError("broken")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
