"""Mask encodings: what they read, and what they say about what they cannot read."""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.datasets import Colours, Encoding, Indices, Instances, PerClass
from segapp.datasets.masks.encoding import EncodedMask, Labels, MaskFile
from segapp.errors import MisuseError
from tests.datasets.look_alikes import save, save_palette


def mask(
    encoding: Encoding, *paths: Path, classes: tuple[str, ...] = ("background", "a"), background: int = 0
) -> EncodedMask:
    files = [MaskFile(path, path.parent.name) for path in paths]
    return EncodedMask(files, encoding, Labels(classes, background))


def saved(path: Path, values: list[list[int]], dtype: type = np.uint8) -> Path:
    save(path, np.array(values, dtype))
    return path


@pytest.mark.parametrize(
    ("values", "stored", "expected"),
    [
        (None, [[0, 1, 2, 255]], [[0, 1, 2, 255]]),
        ({11: 255}, [[0, 2, 11, 255]], [[0, 2, 255, 255]]),
        ({0: 0, 128: 1, 255: 2}, [[0, 128, 255]], [[0, 1, 2]]),
        ({7: 1, 9: 1}, [[0, 7, 9, 2]], [[0, 1, 1, 2]]),
    ],
)
def test_indices_map_stored_values(
    tmp_path: Path, values: dict[int, int] | None, stored: list[list[int]], expected: list[list[int]]
) -> None:
    read = mask(Indices(values), saved(tmp_path / "m.png", stored), classes=("x", "y", "z")).read()
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, expected)


def test_a_listed_class_is_not_reached_by_its_own_number(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="1 pixels hold 1, which is no class"):
        mask(Indices({0: 0, 255: 1}), saved(tmp_path / "m.png", [[0, 1, 255]])).read()


def test_palette_16_bit_and_float_masks(tmp_path: Path) -> None:
    indices = np.array([[0, 1], [2, 0]], np.uint8)
    save_palette(tmp_path / "p.png", indices)
    tifffile.imwrite(tmp_path / "w.tif", indices.astype(np.uint16))
    tifffile.imwrite(tmp_path / "f.tif", indices.astype(np.float32))
    save(tmp_path / "rgb.png", np.repeat(indices[..., None], 3, axis=2))
    for name in ("p.png", "w.tif", "f.tif", "rgb.png"):
        read = mask(Indices(), tmp_path / name, classes=("x", "y", "z")).read()
        np.testing.assert_array_equal(read, indices, err_msg=name)


@pytest.mark.parametrize("stored", [[[0, 255]], [[255, 255]]])
def test_a_0_255_mask_of_two_classes_is_ambiguous(tmp_path: Path, stored: list[list[int]]) -> None:
    path = saved(tmp_path / "m.png", stored)
    with pytest.raises(MisuseError, match=r"\{0: 0, 255: 1\}.*\{0: 0, 1: 1, 255: 255\}") as caught:
        mask(Indices(), path).read()
    assert str(path) in str(caught.value)
    np.testing.assert_array_equal(mask(Indices({0: 0, 255: 1}), path).read(), np.array(stored) // 255)
    np.testing.assert_array_equal(mask(Indices({0: 0, 1: 1, 255: 255}), path).read(), stored)


def test_ambiguity_is_judged_by_the_whole_mask_not_a_window(tmp_path: Path) -> None:
    clear = mask(Indices(), saved(tmp_path / "clear.png", [[0, 255, 1]]))
    np.testing.assert_array_equal(clear.window(0, 0, 1, 2), [[0, 255]])
    with pytest.raises(MisuseError, match="may mean"):
        mask(Indices(), saved(tmp_path / "doubt.png", [[0, 255, 0]])).window(0, 0, 1, 2)


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("m.png", [[0, 128]], r"1 pixels hold 128, which is no class \(known: 0, 1, 255; .*looks like a 0/128"),
        ("m.png", [[0, 1, 2, 3]], r"2 pixels hold 2, 3, which are no class.*Add the missing classes"),
        ("m.png", [list(range(0, 250, 5))], "smoothing.*Instances"),
        ("m.jpg", [[0, 90, 180, 250]], "JPEG changes values"),
    ],
)
def test_values_outside_the_classes(tmp_path: Path, name: str, values: list[list[int]], sentence: str) -> None:
    path = saved(tmp_path / name, values)
    with pytest.raises(MisuseError, match=sentence) as caught:
        mask(Indices(), path).read()
    assert str(path) in str(caught.value)


def test_a_colour_mask_and_fractions_are_no_indices(tmp_path: Path) -> None:
    saved(tmp_path / "rgb.png", [[[255, 0, 0], [0, 0, 0]]])  # type: ignore[list-item]
    with pytest.raises(MisuseError, match=r"2 colours \(\(0, 0, 0\), \(255, 0, 0\)\).*Colours"):
        mask(Indices(), tmp_path / "rgb.png").read()
    tifffile.imwrite(tmp_path / "f.tif", np.array([[0, 0.5]], np.float32))
    with pytest.raises(MisuseError, match=r"fractions such as 0\.5"):
        mask(Indices(), tmp_path / "f.tif").read()


def test_a_map_to_no_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="map 255 to 2, which is neither"):
        mask(Indices({255: 2}), saved(tmp_path / "m.png", [[0]])).read()


def test_colours(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    saved(path, [[[0, 0, 0], [255, 0, 0], [250, 0, 0], [9, 9, 9]]])  # type: ignore[list-item]
    colours = Colours({"background": (0, 0, 0), "a": [(255, 0, 0), (250, 0, 0)], "ignore": (9, 9, 9)})
    np.testing.assert_array_equal(mask(colours, path).read(), [[0, 1, 1, 255]])
    few = Colours({"background": (0, 0, 0), "a": (255, 0, 0)})
    with pytest.raises(MisuseError, match=r"\(9, 9, 9\) \(1 pixels\), |\(250, 0, 0\) \(1 pixels\)"):
        mask(few, path).read()
    with pytest.raises(MisuseError, match="'b' is not one of the classes background, a"):
        mask(Colours({"b": (0, 0, 0)}), path).read()
    with pytest.raises(MisuseError, match=r"It is a grey mask.*Indices"):
        mask(few, saved(tmp_path / "grey.png", [[0, 1]])).read()


@pytest.mark.parametrize("colours", [[], [(0, 0, 256)], (-1, 0, 0)])
def test_what_is_no_colour_is_refused(colours: Any) -> None:
    with pytest.raises(MisuseError, match="colours: 'a' needs a colour, three numbers in 0 … 255, got"):
        Colours({"background": (0, 0, 0), "a": colours})


def test_a_class_cannot_be_called_ignore_where_that_means_not_learnt(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.png", [[[0, 0, 0], [9, 9, 9]]])  # type: ignore[list-item]
    colours = Colours({"background": (0, 0, 0), "ignore": (9, 9, 9)})
    with pytest.raises(MisuseError, match="rename the class 'ignore'"):
        mask(colours, path, classes=("background", "ignore")).read()


def test_instances_are_one_class_with_a_border_where_they_touch(tmp_path: Path) -> None:
    first = saved(tmp_path / "1.png", [[255, 255, 0, 0, 0, 0]])
    second = saved(tmp_path / "2.png", [[0, 0, 255, 255, 0, 0]])
    third = saved(tmp_path / "3.png", [[0, 0, 0, 0, 0, 255]])
    np.testing.assert_array_equal(mask(Instances(), first, second, third).read(), [[1, 1, 1, 1, 0, 1]])
    border = mask(Instances("a", "edge"), first, second, third, classes=("background", "a", "edge"))
    np.testing.assert_array_equal(border.read(), [[1, 2, 2, 1, 0, 1]])
    np.testing.assert_array_equal(border.window(0, 0, 1, 2), [[1, 2]])  # though the other lies outside


def test_overlaps_are_border_and_diagonals_touch(tmp_path: Path) -> None:
    first = saved(tmp_path / "1.png", [[255, 255, 0], [0, 0, 0], [255, 0, 0]])
    second = saved(tmp_path / "2.png", [[0, 255, 0], [0, 0, 255], [0, 0, 0]])
    read = mask(Instances("a", "edge"), first, second, classes=("background", "a", "edge")).read()
    np.testing.assert_array_equal(read, [[2, 2, 0], [0, 0, 1], [1, 0, 0]])
    whole = saved(tmp_path / "3.png", [[255] * 7])
    inner = saved(tmp_path / "4.png", [[0, 0, 255, 255, 255, 0, 0]])
    read = mask(Instances("a", "edge"), whole, inner, classes=("background", "a", "edge")).read()
    np.testing.assert_array_equal(read, [[1, 2, 2, 2, 2, 2, 1]])


def test_one_file_with_a_value_per_object(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, np.array([[0, 300, 300, 7]], np.uint16))
    np.testing.assert_array_equal(mask(Instances(), path).read(), [[0, 1, 1, 1]])
    border = mask(Instances("a", "edge"), path, classes=("background", "a", "edge"))
    np.testing.assert_array_equal(border.read(), [[0, 1, 2, 2]])


def test_several_files_must_be_binary_and_of_one_size(tmp_path: Path) -> None:
    first = saved(tmp_path / "1.png", [[0, 255]])
    with pytest.raises(MisuseError, match="holds 7, 9 where 0 and one other value"):
        mask(Instances(), first, saved(tmp_path / "2.png", [[7, 9]])).read()
    with pytest.raises(MisuseError, match=r"2 x 2 pixels, but .*1\.png of the same image has 1 x 2"):
        mask(Instances(), first, saved(tmp_path / "3.png", [[0, 255], [0, 0]])).read()


def test_per_class_files_in_stated_order(tmp_path: Path) -> None:
    classes = ("background", "lung", "lesion")
    lung = saved(tmp_path / "lung" / "m.png", [[255, 255, 0]])
    lesion = saved(tmp_path / "lesion" / "m.png", [[255, 0, 0]])
    np.testing.assert_array_equal(mask(PerClass(), lung, lesion, classes=classes).read(), [[2, 1, 0]])
    np.testing.assert_array_equal(mask(PerClass(["lesion", "lung"]), lung, lesion, classes=classes).read(), [[1, 1, 0]])
    np.testing.assert_array_equal(mask(PerClass(["lesion"]), lung, lesion, classes=classes).read(), [[2, 1, 0]])
    np.testing.assert_array_equal(mask(PerClass(["lung"]), lung, lesion, classes=classes).read(), [[1, 1, 0]])
    np.testing.assert_array_equal(mask(PerClass(), lesion, classes=classes).read(), [[2, 0, 0]])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_wrong_value_is_found_wherever_the_first_window_lies(tmp_path: Path, suffix: str) -> None:
    """And counted in the whole file: a crop elsewhere would have trained on, until some later epoch met it."""
    stored = np.zeros((40, 50), np.uint8)
    stored[30:36, 40:46] = 7
    save(tmp_path / f"m.{suffix}", stored)
    with pytest.raises(MisuseError, match=r"m\..*36 pixels hold 7"):
        mask(Indices(), tmp_path / f"m.{suffix}").window(0, 0, 8, 8)


def test_a_mask_is_checked_once_and_then_read_in_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "m.png", np.eye(40, dtype=np.uint8))
    seen = mask(Indices(), tmp_path / "m.png")
    sizes: list[tuple[int, ...]] = []
    decode = Indices.decode

    def counted(self: Indices, files, pixels, labels):  # type: ignore[no-untyped-def]
        sizes.append(pixels[0].shape[:2])
        return decode(self, files, pixels, labels)

    monkeypatch.setattr(Indices, "decode", counted)
    assert (seen.window(3, 3, 8, 8) == np.eye(8)).all()
    assert (seen.window(5, 5, 8, 8) == np.eye(8)).all()
    assert sizes == [(40, 40), (8, 8), (8, 8)]


def test_lossless_webp_is_a_mask_and_lossy_formats_are_not(tmp_path: Path) -> None:
    indices = np.random.default_rng(0).integers(0, 2, (20, 30), np.uint8)
    PIL.Image.fromarray(indices).save(tmp_path / "m.webp", lossless=True)  # as three equal channels
    np.testing.assert_array_equal(mask(Indices(), tmp_path / "m.webp").read(), indices)
    PIL.Image.fromarray(indices).save(tmp_path / "lossy.webp")
    (tmp_path / "m.jp2").write_bytes(imagecodecs.jpeg2k_encode(indices, reversible=True))
    PIL.Image.fromarray(indices).save(tmp_path / "wrong.png", "WEBP")
    for name, codec in (("lossy.webp", "WebP"), ("m.jp2", "JPEG 2000"), ("wrong.png", "WebP")):
        with pytest.raises(MisuseError, match=rf"{name}: {codec}"):
            mask(Indices(), tmp_path / name).read()
