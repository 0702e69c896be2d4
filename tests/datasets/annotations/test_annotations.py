"""What all kinds of annotations share: files parsed once, names with classes, warnings said once."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from segapp.checkpoints.roles import ENCODING, has_role
from segapp.datasets import (
    Coco,
    Contiguous,
    Cvat,
    Folder,
    Fraction,
    LabelMe,
    LabelStudio,
    QuPath,
    Supervisely,
    Via,
    Yolo,
)
from segapp.datasets.annotations.annotations import Annotations
from segapp.errors import MisuseError
from segapp.init_args import describe
from tests.datasets.annotations.samples import read_masks, write_image, write_json
from tests.io.volumes import write_nifti

KINDS = [Coco, LabelMe, Yolo, Cvat, LabelStudio, QuPath, Supervisely, Via]


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_may_name_every_kind(kind: type[Annotations]) -> None:
    assert has_role(kind, ENCODING)
    described = describe(kind(labels={"a": None}))
    assert described["class_path"] == f"segapp.datasets.{kind.__name__}"
    assert described["init_args"]["labels"] == {"a": None}


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_known_by_their_suffix(kind: type[Annotations]) -> None:
    suffix = kind.suffixes[0]
    assert kind.reads(Path(f"a{suffix.upper()}"))
    assert not any(kind.reads(Path(name)) for name in (f".hidden{suffix}", "a.png", "a", *kind.other_files))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("masks", ["/etc/{name}", "../labels/{name}", "labels/../../{name}"])
def test_no_pattern_leads_out_of_the_folder(tmp_path: Path, kind: type[Annotations], masks: str) -> None:
    write_image(tmp_path)
    with pytest.raises(MisuseError, match="inside it"):
        read_masks(tmp_path, kind(), f"{masks}{kind.suffixes[0]}")


def make_source(root: Path, mask: Annotations) -> Folder:
    for name in ("a", "b"):
        write_image(root, f"{name}.png")
    images = [{"id": i, "file_name": f"{name}.png", "height": 6, "width": 8} for i, name in enumerate("ab")]
    square = {"image_id": 0, "category_id": 1, "segmentation": [[0, 0, 3, 0, 3, 3, 0, 3]]}
    write_json(
        root / "all.json",
        {"images": images, "annotations": [square], "categories": [{"id": 1, "name": "cat"}]},
    )
    return Folder(root, ("background", "cat"), masks="all.json", mask=mask, split=Contiguous(val=0.5))


def test_a_file_of_all_images_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    original = Coco.parse
    monkeypatch.setattr(Coco, "parse", lambda self, path: parsed.append(path) or original(self, path))
    source = make_source(tmp_path, Coco())
    items = [*source.items("train"), *source.items("val")]
    assert [item.mask.read().sum() for item in items if item.mask] == [9, 0]
    assert [problem.severity for problem in source.problems() if problem.kind != "class"] == []
    assert parsed == [tmp_path / "all.json"]


def test_masks_go_to_other_processes(tmp_path: Path) -> None:
    item = make_source(tmp_path, Coco()).items("train")[0]
    assert item.mask is not None
    assert (pickle.loads(pickle.dumps(item)).mask.read() == item.mask.read()).all()


def test_an_excluded_image_needs_no_entry(tmp_path: Path) -> None:
    make_source(tmp_path, Coco())
    write_image(tmp_path, "c.png")
    assert list(read_masks(tmp_path, Coco(), "all.json", exclude=["c"])) == ["a", "b"]


def test_a_class_that_labels_name_must_exist(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match=r"mask\.labels 'cat'.*'bird'"):
        make_source(tmp_path, Coco(labels={"cat": "bird"})).items("train")


def test_slices_of_volumes_have_no_annotations(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write_nifti(tmp_path / "images/v.nii.gz", np.zeros((4, 4, 3), np.uint8))
    write_json(tmp_path / "labels/v.json", {"shapes": []})
    with pytest.raises(MisuseError, match=r"v\.nii\.gz: a volume"):
        read_masks(tmp_path, LabelMe(), "labels/*.json")


def test_a_warning_does_not_hide_what_is_wrong_with_the_split(tmp_path: Path) -> None:
    source = make_source(tmp_path, Coco())
    (tmp_path / "images/b.png").unlink()  # of two entries one has no image, and one image cannot be divided
    source.split = Fraction(val=0.5)
    severities = {(problem.kind, problem.severity) for problem in source.layout_problems()}
    assert severities == {("image missing", "warning"), ("split", "error")}
