"""A study takes its sections from its YAML and from the study that it is like."""

from pathlib import Path

import pytest
import yaml

from segapp.errors import MisuseError
from segapp.lab.study.config import read_study
from tests.lab.study.written import BASE, STUDY, read, write_base


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_base()


def test_a_variant_takes_what_it_does_not_say_from_the_study_it_is_like():
    read(about="the original", name="original")
    Path("small.yaml").write_text(yaml.safe_dump({"like": "study.yaml", "seeds": [0], "set": {"data.batch_size": 2}}))
    small = read_study(Path("small.yaml"))
    assert (small.name, small.about, small.seeds) == ("small", "the original", (0,))
    assert small.variants[0].config["trainer"]["max_epochs"] == 1
    assert small.variants[0].config["data"]["batch_size"] == 2


@pytest.mark.parametrize("content", [b"PK\x03\x04\x80\xff", b"name: ["], ids=repr)
def test_a_file_that_is_not_yaml_is_refused(content):
    Path("last.ckpt").write_bytes(content)
    for path in (Path("last.ckpt"), Path("study.yaml")):
        Path("study.yaml").write_text(yaml.safe_dump(STUDY | {"base": "last.ckpt"}))
        with pytest.raises(MisuseError, match=r"^last\.ckpt: "):
            read_study(path)


def test_paths_are_relative_to_the_file_that_names_them(tmp_path):
    """A stranger's folder may hold a configs/unet.yaml, with classes that run its code."""
    mine = tmp_path / "mine"
    (mine / "studies").mkdir(parents=True)
    (mine / "base.yaml").write_text(yaml.safe_dump(BASE | {"data": {"crop": 64}}))
    (mine / "studies" / "data.yaml").write_text("crop: 128\n")
    (mine / "first.yaml").write_text(yaml.safe_dump(STUDY | {"data": "studies/data.yaml", "grid": {}}))
    (mine / "studies" / "second.yaml").write_text("like: ../first.yaml\n")
    Path("first.yaml").write_text("grid: a stranger's\n")
    study = read_study(mine / "studies" / "second.yaml")
    assert study.variants[0].config["data"] == {"crop": 128}
    (mine / "first.yaml").write_text("like: studies/../studies/second.yaml\n")
    with pytest.raises(MisuseError, match="back to itself"):
        read_study(mine / "studies" / "second.yaml")
