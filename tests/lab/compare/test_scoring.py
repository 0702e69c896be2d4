"""Everything is scored on the images that all have."""

import shutil
from pathlib import Path

import pytest

from segapp.errors import MisuseError
from segapp.lab.compare.opening import Request, open_competitors
from segapp.lab.compare.scoring import score_all, write_all_examples


def test_scores_are_of_the_common_images_alone(tools):
    shutil.copytree("one", "three")
    Path("three/a.png").unlink()
    encoding = ["two:background=0,cell=9"]
    request = Request(["one=one", "two=two", "3=three"], Path("out"), "data.yaml", encoding, True, "test", [])
    opened = open_competitors(request)
    images, results = score_all(opened, request)
    assert images == ["b"] and [list(result.images) for result in results] == [["b"]] * 3
    assert [result.images["b"]["dice"] for result in results] == [7 / 8, 1, 7 / 8]
    assert [result.variant for result in results] == ["one", "two", "3"]
    write_all_examples(opened, results, images, [])
    assert len(list(Path("out/examples").glob("*/b-prediction.png"))) == 3


def test_nothing_is_written_where_one_cannot_be_scored(tools):
    request = Request(["one=one", "two=two"], Path("out"), "data.yaml", [], True, "test", [])
    with pytest.raises(MisuseError, match=r"two/[ab]\.png.* 9.*--encoding 'two:background=0,cell=255'"):
        score_all(open_competitors(request), request)
    assert not Path("out").exists()
