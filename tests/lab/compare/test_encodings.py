"""What the values in folders of predictions mean."""

import pytest

from segapp.datasets import Folder, Indices
from segapp.errors import MisuseError
from segapp.lab.compare.encodings import read_encodings

SOURCE = Folder("data", ["background", "cell"])
SECTION = """source:
  class_path: segapp.datasets.Folder
  init_args: {root: data, classes: [background, CELL], mask: {class_path: segapp.datasets.Threshold}}
"""


def test_an_encoding_is_of_all_folders_or_of_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.yaml").write_text(SECTION.replace("CELL", "cell"))
    words = ["background=0,cell=255", "b:background=3,cell=4", "c:other.yaml"]
    found = read_encodings(words, ["a", "b", "c"], SOURCE)
    assert found["a"].values == {0: 0, 255: 1} and found["b"].values == {3: 0, 4: 1}
    assert type(found["c"]).__name__ == "Threshold"
    (alone,) = read_encodings([], ["a"], SOURCE).values()
    assert isinstance(alone, Indices) and alone.values == {}


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("nothing.yaml", "no file"),
        ("other.yaml", "CELL"),
        ("background=0,nucleus=1", "'nucleus'"),
        ("background=0", "cell"),
        ("background=0,cell=0", "'0'"),
        ("background=0,cell=-1", "'-1'"),
        ("background=0,cell=65536", "65535"),
    ],
)
def test_what_names_no_values_is_refused(tmp_path, monkeypatch, word, found):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.yaml").write_text(SECTION)
    with pytest.raises(MisuseError, match=found):
        read_encodings([word], ["a"], SOURCE)
