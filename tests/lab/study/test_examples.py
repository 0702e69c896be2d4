"""Predictions to look at, with their errors marked."""

import json

import numpy as np
import pytest

from segapp.errors import MisuseError
from segapp.io import read_raw, write_image, write_mask
from segapp.lab.study.examples import _to_rgb, make_slug, write_examples
from segapp.palette import choose_error_colour
from tests.inference.checkpoints import THRESHOLD, make_spec, record, write_checkpoint

PALETTE = make_spec().palette


@pytest.fixture
def checkpoint(tmp_path):
    """A network that calls bright pixels cells, and one image whose target says less."""
    image = np.zeros((400, 350, 3), np.uint8)
    image[200:260, 100:200] = 255
    target = np.zeros((400, 350), np.uint8)
    target[200:230, 100:200] = 1
    target[230:240, 100:200] = 255  # unknown
    write_image(tmp_path / "data/images/sub/a b.png", image)
    write_mask(tmp_path / "data/masks/sub/a b.png", target, PALETTE)
    settings = {"root": str(tmp_path / "data"), "classes": ["background", "cell"]}
    settings["split"] = {"class_path": "segapp.datasets.Fraction", "init_args": {"val": 0.0, "test": 0.0}}
    path = write_checkpoint(tmp_path / "best.ckpt")
    import torch

    content = torch.load(path, weights_only=True)
    source = {"class_path": "segapp.datasets.Folder", "init_args": settings}
    content["segapp"] = record() | {"config": {"data": {"source": source}}}
    torch.save(content, path)
    return path


def test_the_middle_of_an_image_its_target_and_the_errors_are_written(checkpoint, tmp_path):
    write_examples(checkpoint, ["sub/a b"], tmp_path / "out", [THRESHOLD])
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"sub_a_b-image.jpg", "sub_a_b-target.png", "sub_a_b-prediction.png", "legend.json"}
    target = read_raw(tmp_path / "out/sub_a_b-target.png")
    marked = read_raw(tmp_path / "out/sub_a_b-prediction.png")
    assert target.shape == marked.shape == (320, 320)
    # Of 400 x 350 pixels the first 40 rows and 15 columns are left out.
    assert (target[160:190, 85:185] == 1).all()
    assert (marked[160:190, 85:185] == 1).all()
    assert (marked[200:220, 85:185] == 2).all()  # a false positive has the colour after the classes'
    assert (marked == 2).sum() == 20 * 100  # ignored pixels are no error
    legend = json.loads((tmp_path / "out/legend.json").read_text())
    assert legend["classes"] == [["background", list(PALETTE[0])], ["cell", list(PALETTE[1])]]
    assert legend["wrong"] == list(choose_error_colour(PALETTE))


def test_an_image_that_is_gone_is_named(checkpoint, tmp_path):
    with pytest.raises(MisuseError, match=r"best\.ckpt: .*'gone'"):
        write_examples(checkpoint, ["gone"], tmp_path / "out", [THRESHOLD])


def test_names_become_one_file_name():
    assert make_slug("../a/b c:d=1.5+x-y.z") == ".._a_b_c_d=1.5+x-y.z"


def test_any_channels_are_shown_in_colour():
    grey = np.array([[[0.0], [0.5], [2.0]]], np.float32)
    assert _to_rgb(grey).tolist() == [[[0] * 3, [128] * 3, [255] * 3]]
    five = np.arange(5, dtype=np.uint8)[None, None]
    assert _to_rgb(five).tolist() == [[[0, 1, 2]]]
