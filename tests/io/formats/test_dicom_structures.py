"""RT structure sets: read within bounds, and reported in one sentence where they are damaged."""

import time
from pathlib import Path

import numpy as np
import pydicom
import pytest

from segapp.errors import SegappError
from segapp.io.formats import dicom_structures
from segapp.io.formats.dicom_structures import read_structure_set
from tests.io.dicoms import make_slice, save
from tests.io.structure_sets import FRAME, make_contour, make_structure_set, write_structure_set

SQUARE = np.array([[0, 0, 5], [4, 0, 5], [4, 4, 5], [0, 4, 5]], float)


def test_regions_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    image = save(make_slice(np.zeros((4, 4), np.uint8), "a"), tmp_path / "a.dcm")
    contours = [make_contour(SQUARE, image=image), make_contour(SQUARE[:1], "POINT")]
    found = read_structure_set(write_structure_set(tmp_path / "rt.dcm", [("liver ", contours), ("", [])]))
    assert [(region.name, region.space, len(region.contours)) for region in found] == [
        ("liver", FRAME, 2),
        ("", FRAME, 0),
    ]
    np.testing.assert_array_equal(found[0].contours[0].points, SQUARE)
    assert [each.kind for each in found[0].contours] == ["CLOSED_PLANAR", "POINT"]
    assert (
        found[0].contours[0].instances == (pydicom.dcmread(image).SOPInstanceUID,)
        and not found[0].contours[1].instances
    )


def test_names_are_decoded_by_the_character_set_of_the_file(tmp_path: Path) -> None:
    made = make_structure_set([("Körper", [])])
    made.SpecificCharacterSet = "ISO_IR 100"
    assert read_structure_set(save(made, tmp_path / "rt.dcm"))[0].name == "Körper"


def change(word: str, value: str) -> pydicom.Dataset:
    made = make_structure_set([("liver", [make_contour(SQUARE)])])
    contour = made.ROIContourSequence[0].ContourSequence[0]
    del contour.NumberOfContourPoints
    contour[word] = pydicom.DataElement(word, "LT", value)
    return made


BROKEN = {
    "not x, y and z": lambda: change("ContourData", "1\\2\\3\\4"),
    "no coordinates, or some that are no numbers": lambda: change("ContourData", "1\\2\\liver"),
    "has no coordinates": lambda: change("ContourData", ""),
    "not finite": lambda: change("ContourData", "1\\2\\nan"),
    "beyond 1,000,000 mm": lambda: change("ContourData", "1\\2\\3e300"),
    "beyond 1,000,000": lambda: change("ContourData", "1\\2\\-inf"),
    "states 7": lambda: change("NumberOfContourPoints", "7"),
    "several regions of one number": lambda: twice(),
    "region 9, which it does not name": lambda: unnamed(),
    "without regions": lambda: empty(),
    "of the modality CT": lambda: make_slice(np.zeros((4, 4), np.uint8), "a"),
}


def twice() -> pydicom.Dataset:
    made = make_structure_set([("a", []), ("b", [])])
    made.StructureSetROISequence[1].ROINumber = 1
    return made


def unnamed() -> pydicom.Dataset:
    made = make_structure_set([("a", [])])
    made.ROIContourSequence[0].ReferencedROINumber = 9
    return made


def empty() -> pydicom.Dataset:
    made = make_structure_set([])
    del made.ROIContourSequence
    return made


@pytest.mark.filterwarnings("ignore:.*")  # pydicom warns of the values that are written here
@pytest.mark.parametrize("message", BROKEN)
def test_what_is_wrong_is_one_sentence_with_the_file(tmp_path: Path, message: str) -> None:
    path = save(BROKEN[message](), tmp_path / "rt.dcm")
    with pytest.raises(SegappError, match=message) as error:
        read_structure_set(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_truncated_file_is_never_read_as_a_shorter_one(tmp_path: Path) -> None:
    made = make_structure_set([("liver", [make_contour(SQUARE)] * 3), ("spleen", [make_contour(SQUARE)])])
    whole = save(made, tmp_path / "rt.dcm").read_bytes()
    path = tmp_path / "cut.dcm"
    needed = len(whole.rstrip(b" "))
    for length in range(0, needed, 3):
        path.write_bytes(whole[:length])
        with pytest.raises(SegappError, match=r"cut\.dcm"):
            read_structure_set(path)


LIMITS = {"MOST_BYTES": 500, "MOST_READS": 9, "MOST_ITEMS": 5, "MOST_ROIS": 1, "MOST_CONTOURS": 3, "MOST_POINTS": 3,
          "MOST_POINTS_IN_ALL": 15}  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS)
def test_what_is_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    regions = [(name, [make_contour(SQUARE)] * 2) for name in ("liver", "spleen")]
    path = write_structure_set(tmp_path / "rt.dcm", regions)
    read_structure_set(path)
    monkeypatch.setattr(dicom_structures, limit, LIMITS[limit])
    with pytest.raises(SegappError, match=r"rt\.dcm"):
        read_structure_set(path)


def test_millions_of_empty_contours_are_refused_in_seconds(tmp_path: Path) -> None:
    path = write_structure_set(tmp_path / "rt.dcm", [("liver", [])])
    item = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
    contours = b"\x06\x30\x40\x00\xff\xff\xff\xff" + item * 3_000_000
    outline = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + contours
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"\x06\x30\x39\x00")] + b"\x06\x30\x39\x00\xff\xff\xff\xff" + outline)
    begin = time.perf_counter()
    with pytest.raises(SegappError, match=r"3,000,00. items"):
        read_structure_set(path)
    assert time.perf_counter() - begin < 10
