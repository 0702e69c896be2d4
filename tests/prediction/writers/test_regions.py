"""Images too large for regions."""

import json

import pytest

from segapp.errors import SegappError
from segapp.prediction.writers import regions
from segapp.prediction.writers.regions import write_json
from tests.prediction.predicting import make_run, put, scene


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_regions_of_an_image_too_large_for_them_are_a_sentence(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(regions, "MAX_OUTLINED_PIXELS", 100)
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    assert run(["contours"]) == 1
    assert "a.png: " in capsys.readouterr().err


def test_json_that_cannot_be_written_leaves_the_former_file(tmp_path):
    write_json(tmp_path / "deep/a.json", [{"a": 1}])
    with pytest.raises(TypeError):
        write_json(tmp_path / "deep/a.json", [object()])
    assert json.loads((tmp_path / "deep/a.json").read_text()) == [{"a": 1}]
    assert len(list((tmp_path / "deep").iterdir())) == 1
    (tmp_path / "file").touch()
    with pytest.raises(SegappError, match="file"):
        write_json(tmp_path / "file/a.json", [])
