"""The patterns that are tried for the files of a data set."""

import PIL.Image

from segapp.datasets import Coco
from segapp.planning.layout_patterns import Kind, list_candidates, yield_split_patterns


def test_the_given_folders_are_tried_first_and_a_pattern_of_the_user_alone(tmp_path):
    (tmp_path / "masks").mkdir()
    tried = [masks for _, masks, _ in list_candidates(tmp_path, "images", "masks", None, Kind())]
    assert tried[0] == "masks" and "masks/{name}/*" in tried
    own = list(list_candidates(tmp_path, "images", "masks/{name}_m.png", None, Kind()))
    assert own == [("images", "masks/{name}_m.png", ())]


def test_what_surrounds_the_images_names_is_tried(tmp_path):
    for path in ("images/a1.png", "images/b2.png", "masks/m-a1-x.png", "masks/m-b2-x.png"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        PIL.Image.new("L", (4, 4)).save(tmp_path / path)
    tried = [masks for _, masks, _ in list_candidates(tmp_path, "images", "masks", None, Kind())]
    assert "masks/m-{stem}-x.*" in tried


def test_the_only_file_of_annotations_in_a_folder_is_tried(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "all.json").write_text("{}")
    tried = [masks for _, masks, _ in list_candidates(tmp_path, "images", "labels", None, Kind(Coco))]
    assert tried == ["labels", "labels/all.json", "labels/{stem}.*"]


def test_a_split_may_be_in_the_name_of_a_file(tmp_path):
    for split in ("train", "val"):
        (tmp_path / "images" / split).mkdir(parents=True)
        (tmp_path / f"{split}.json").write_text("{}")
    (found,) = yield_split_patterns(tmp_path, "images/train", "train.json")
    assert found == ("images/{split}", "{split}.json", {"train": "train", "val": "val"})
