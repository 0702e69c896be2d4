"""RT structure sets as the masks of DICOM series, from the folder to the scores."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from segapp.cli import main
from segapp.datasets import Folder, Fraction, RtStruct
from segapp.datasets.annotations.annotations import Annotations
from segapp.errors import MisuseError
from segapp.planning.annotations import recognise_annotations
from segapp.planning.sizes import PIXELS_PER_STEP
from tests.cli.tiny import TINY
from tests.datasets.annotations.samples import write_image
from tests.io.structure_sets import Place, make_contour, write_structure_set

CLASSES = ("background", "liver", "spleen")
PLACE = Place(spacing=(1.0, 1.0, 3.0))
SIZE = (4, 32, 40)
LIVER, HOLE, SPLEEN = (
    [[x, y], [x + w, y], [x + w, y + w], [x, y + w]] for x, y, w in ((2, 3, 20), (8, 9, 6), (18, 5, 10))
)


def draw(polygon, image: Path | None = None, kind: str = "CLOSED_PLANAR", slices=(1, 2)):
    return [make_contour(PLACE.find(polygon, index), kind, image) for index in slices]


def write_patient(root: Path, name: str = "p1", regions=None, **settings) -> Path:
    """Write a series on which the liver (with a hole, under the spleen) is bright, and its structure set."""
    planes = np.random.default_rng(list(name.encode())).integers(0, 60, SIZE).astype(np.uint8)
    for index in (1, 2):
        planes[index, 3:23, 2:22] += 90
        planes[index, 9:15, 8:14] -= 90
        planes[index, 5:15, 22:28] += 180
        planes[index, 5:15, 18:22] += 90
    paths = PLACE.write_series(root / "images" / name, planes)
    if regions is None:
        regions = [("liver", draw(LIVER) + draw(HOLE)), ("spleen", draw(SPLEEN))]
    write_structure_set(root / f"masks/{name}.dcm", regions, **settings)
    return paths[0]


def open_folder(root: Path, labels=None, **settings) -> Folder:
    split = Fraction(val=0.25, test=0.25, seed=0) if len(list((root / "images").iterdir())) > 2 else Fraction(0.5)
    return Folder(root, CLASSES, mask=RtStruct(labels), split=split, **settings)


def read(root: Path, labels=None, **settings) -> np.ndarray:
    source = open_folder(root, labels, **settings)
    return np.stack([item.mask.read() for item in source.select(source.item_names())])


def list_messages(root: Path, labels=None) -> list[tuple[str, str]]:
    problems = open_folder(root, labels).layout_problems()
    return [(each.severity, each.message) for each in problems if each.kind != "split"]


def test_regions_are_classes_and_later_ones_are_above(tmp_path: Path) -> None:
    write_patient(tmp_path)
    masks = read(tmp_path)
    assert masks.shape == SIZE and not masks[0].any() and not masks[3].any()
    expected = np.zeros(SIZE[1:], np.uint8)
    expected[3:23, 2:22], expected[9:15, 8:14], expected[5:15, 18:28] = 1, 0, 2
    np.testing.assert_array_equal(masks[1], expected)
    np.testing.assert_array_equal(masks[2], expected)
    write_patient(tmp_path, regions=[("spleen", draw(SPLEEN)), ("liver", draw(LIVER) + draw(HOLE))])
    assert (read(tmp_path)[1, 5:15, 18:22] == 1).all()


def test_regions_are_renamed_ignored_and_left_out(tmp_path: Path) -> None:
    write_patient(tmp_path, regions=[("Leber", draw(LIVER)), ("Milz", draw(SPLEEN)), ("BODY", draw(LIVER))])
    masks = read(tmp_path, {"Leber": "liver", "Milz": "ignore", "BODY": None})
    assert set(np.unique(masks[1])) == {0, 1, 255} and (masks[1] == 255).sum() == 100
    (severity, message), *others = list_messages(tmp_path)
    assert severity == "error" and "'BODY'" in message and "mask.labels" in message and not others


def test_slices_are_cut_across_another_axis(tmp_path: Path) -> None:
    write_patient(tmp_path)
    stored = read(tmp_path)
    np.testing.assert_array_equal(read(tmp_path, axis="coronal"), stored[::-1].transpose(1, 0, 2))


def test_points_and_open_contours_are_counted_and_not_painted(tmp_path: Path) -> None:
    other = draw([[5, 5]], kind="POINT") + draw(LIVER, kind="OPEN_PLANAR") + draw(LIVER[:2])
    write_patient(tmp_path, regions=[("liver", draw(LIVER, kind="CLOSEDPLANAR_XOR")), ("Isocenter", other)])
    ((severity, message),) = list_messages(tmp_path)
    assert severity == "warning"
    assert "2 points, 2 open contours, 2 contours of one or two points are no areas and not painted." in message
    assert (read(tmp_path)[1] == 1).sum() == 400


def test_what_lies_beside_the_series_is_reported(tmp_path: Path) -> None:
    write_patient(tmp_path, regions=[("liver", draw(LIVER, slices=(2, 9)))])
    ((severity, message),) = list_messages(tmp_path)
    assert severity == "warning" and "contours of 'liver' (1) lie on no slice" in message
    image = write_patient(tmp_path, "p2")
    write_patient(tmp_path, regions=[("liver", draw(LIVER, image))])
    ((severity, message),) = list_messages(tmp_path)
    assert severity == "error" and str(tmp_path / "masks/p1.dcm") in message and "not in the series" in message
    write_patient(tmp_path, frame="1.2.3")
    assert "frame of reference 1.2.3" in list_messages(tmp_path)[0][1]
    with pytest.raises(MisuseError, match="frame of reference"):
        read(tmp_path)
    assert list_messages(tmp_path, {"liver": None, "spleen": None}) == []


def test_other_images_and_other_files_are_reported(tmp_path: Path) -> None:
    write_image(tmp_path)
    write_structure_set(tmp_path / "masks/a.dcm", [("liver", draw(LIVER))])
    assert "not a series of DICOM" in list_messages(tmp_path)[0][1]
    write_patient(tmp_path / "b")
    (tmp_path / "b/masks/p1.dcm").write_bytes(b"no DICOM")
    assert "masks/p1.dcm: no DICOM file" in list_messages(tmp_path / "b")[0][1]


def test_without_the_setting_a_message_names_it(tmp_path: Path) -> None:
    write_patient(tmp_path)
    problems = list(Folder(tmp_path, CLASSES, split=Fraction(0.5)).layout_problems())
    assert any("set mask to segapp.datasets.RtStruct" in problem.message for problem in problems)


LAYOUTS = {
    "one file": ("images", "masks/p1.dcm"),
    "in folders": ("images", "masks/{name}.dcm"),
    "beside": ("{name}/ct", "{name}/rt.dcm"),
    "among the slices": ("images", "images/{name}/RS*.dcm"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(tmp_path: Path, name: str) -> None:
    write_patient(tmp_path)
    images, masks = LAYOUTS[name]
    if name == "beside":
        (tmp_path / "p1").mkdir()
        (tmp_path / "images/p1").rename(tmp_path / "p1/ct")
        (tmp_path / "masks/p1.dcm").rename(tmp_path / "p1/rt.dcm")
        (tmp_path / "images").rmdir()
    if name == "among the slices":
        (tmp_path / "masks/p1.dcm").rename(tmp_path / "images/p1/RS1.dcm")
    source = Folder(tmp_path, CLASSES, images, masks, mask=RtStruct(), split=Fraction(0.5))
    items = source.select(source.item_names())
    assert [problem.kind for problem in source.layout_problems()] == ["split"]
    assert [int(item.mask.read().max()) for item in items] == [0, 2, 2, 0]


def test_structure_sets_are_recognised(tmp_path: Path) -> None:
    write_patient(tmp_path)
    assert recognise_annotations(tmp_path, "images", "masks") is RtStruct
    assert recognise_annotations(tmp_path, "masks", "images") is None
    assert issubclass(RtStruct, Annotations) and not RtStruct.reads(Path("a.nii.gz"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # a small training is not what torch would advise
def test_check_plan_train_test_and_predict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
    for number in range(6):
        write_patient(tmp_path, f"p{number}")
    found = ["--images", "images", "--masks", "masks"]
    main(["check", *found])
    shown = capsys.readouterr().out
    assert "0 errors" in shown and "overlap" in shown, shown
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 32**2)
    monkeypatch.setattr("segapp.planning.candidates.MIN_CROP", 32)
    assert main(["plan", *found, "--output", "plan.yaml"]) == 0
    source = yaml.safe_load(Path("plan.yaml").read_text())["data"]["source"]
    settings = source["init_args"]
    assert settings["mask"] == {"class_path": "segapp.datasets.RtStruct"} and settings["axis"] == "axial"
    assert (settings["images"], settings["masks"], settings["classes"]) == ("images", "masks", list(CLASSES))
    config = yaml.safe_load(TINY.read_text())
    config["data"] |= {"source": source, "crop": [32, 32], "num_workers": 0}
    config["trainer"] |= {"max_epochs": 1, "logger": False}
    Path("config.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", "config.yaml"]) == 0
    (run,) = tmp_path.glob("runs/tiny/2*")
    checkpoint = str(run / "checkpoints/last.ckpt")
    assert main(["validate", "--ckpt_path", checkpoint, "--data.num_workers=0"]) == 0
    assert (run / "validate-1/per_volume.csv").is_file()
    assert main(["predict", "--ckpt_path", checkpoint, "--images", "images", "--output", "out"]) == 0
    assert sorted(path.name for path in Path("out/mask").glob("*.dcm")) == [f"p{number}.dcm" for number in range(6)]
