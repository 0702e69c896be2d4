"""Images of another depth or other channels than the network knows."""

import numpy as np
import pytest
import tifffile

from segapp.errors import MisuseError, SegappError
from segapp.io import Image, read_raw
from segapp.prediction.intensity import convert_pixels, parse_intensity, require_trained_kind
from segapp.spec import Intensity
from tests.inference.checkpoints import make_spec, write_checkpoint
from tests.prediction.predicting import make_run, put


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_images_of_another_depth_are_refused_with_the_option_that_helps(run, tmp_path, capsys):
    truth = np.eye(40, 90, dtype=np.uint8)
    deep = np.where(truth == 1, 60000, 900).astype(np.uint16)
    put(tmp_path / "images", "a.tif", np.stack([deep] * 3, axis=2))
    assert run() == 1
    said = capsys.readouterr().err
    assert "holds uint16, but the network was trained on 8-bit images" in said
    assert "--intensity percentile,1,99" in said and "--intensity range,0,65535" in said
    assert run(intensity="range,0,65535") == 0
    assert "intensity range" in capsys.readouterr().out
    assert (read_raw(tmp_path / "out" / "mask" / "a.tif") == truth).all()
    with pytest.raises(MisuseError, match="with other settings"):
        run(intensity="range,0,4095")


def test_channels_that_the_network_does_not_know_are_named(run, tmp_path, capsys):
    tifffile.imwrite(tmp_path / "images" / "a.tif", np.zeros((5, 32, 32), np.uint8), photometric="minisblack")
    tifffile.imwrite(tmp_path / "images" / "b.tif", np.zeros((32, 32, 4), np.uint8), photometric="minisblack")
    assert run() == 1
    said = capsys.readouterr().err.splitlines()
    for line, count in zip(said, (5, 4), strict=True):
        assert f"has {count} channels, but the network was trained on images of 3" in line
        assert "set `" not in line


def test_an_image_that_cannot_reach_the_trained_range_is_refused(run, tmp_path, capsys):
    checkpoint = write_checkpoint(tmp_path / "deep.ckpt", make_spec(intensity=Intensity("range", 0, 4095)))
    truth = np.eye(40, 90, dtype=np.uint8)
    put(tmp_path / "images", "a.png", np.repeat(truth[..., None] * 200, 3, axis=2))
    assert run(ckpt_path=str(checkpoint)) == 1
    assert "holds uint8, but the network was trained on values of 0 … 4095" in capsys.readouterr().err
    assert run(ckpt_path=str(checkpoint), intensity="stored") == 0  # given to the network as float32
    assert (read_raw(tmp_path / "out" / "mask" / "a.png") == truth).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("percentile,1,99", Intensity("percentile", 1, 99)),
        ("range, 0 ,65535", Intensity("range", 0, 65535)),
        ("range,-1000,4e2", Intensity("range", -1000, 400)),
        ("zscore", Intensity("zscore")),
        ("stored", Intensity("stored")),
    ],
)
def test_intensities_are_written_as_a_kind_and_its_numbers(text, expected):
    assert parse_intensity(text) == expected


@pytest.mark.parametrize(
    "text", ["", "range", "range,1", "range,1,2,3", "range,a,b", "zscore,1", "minmax,0,1", "range,2,1"]
)
def test_text_that_is_no_intensity_is_refused(text):
    with pytest.raises(MisuseError, match="intensity"):
        parse_intensity(text)


@pytest.mark.parametrize(
    ("dtype", "intensity", "refused"),
    [
        (np.uint8, Intensity("stored"), False),
        (np.uint16, Intensity("stored"), True),
        (np.uint16, Intensity("percentile", 1, 99), False),
        (np.uint8, Intensity("range", 0, 65535), True),  # 255 is half of it at most
        (np.uint8, Intensity("range", 0, 300), False),
        (np.float32, Intensity("range", 0, 65535), False),  # floats hold any range
    ],
)
def test_depths_that_training_has_not_seen_are_refused_with_the_range_of_the_type(tmp_path, dtype, intensity, refused):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((4, 4), dtype))
    image = Image(tmp_path / "a.tif", 1, intensity)
    if not refused:
        require_trained_kind(image, 1, "say so")
        return
    with pytest.raises(SegappError, match=rf"a\.tif: holds {np.dtype(dtype)}.*from 0 to {np.iinfo(dtype).max}"):
        require_trained_kind(image, 1, "from {low} to {high}")


def test_pixels_become_what_the_network_takes():
    stored = np.array([0, 128, 255], np.uint8)
    scaled = convert_pixels(stored, np.dtype(np.float32))
    assert scaled.dtype == np.float32 and scaled == pytest.approx([0, 128 / 255, 1])
    assert (convert_pixels(scaled, np.dtype(np.uint8)) == stored).all()
    assert convert_pixels(stored, np.dtype(np.uint8)) is stored
