"""The contract of a writer: files appear when its context ends, and not at all after an error."""

from pathlib import Path

import pytest

from segapp.io import write_atomically
from segapp.prediction.writers.writer import ImageInfo, Writer
from tests.inference.checkpoints import make_spec


class Lines(Writer):
    """A line for each block."""

    name = "lines"
    help = "a line for each block"

    def __enter__(self):
        temporary = self.open_files.enter_context(write_atomically(self.path))
        self.file = self.open_files.enter_context(temporary.open("w"))
        return self

    def add(self, block):
        self.file.write(f"{block}\n")


def test_a_file_appears_when_its_context_ends(tmp_path):
    with Lines(tmp_path / "a.txt", ImageInfo("a", (4, 5), make_spec())) as writer:
        writer.add("first")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "first\n"


def test_an_error_ends_it_without_a_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), Lines(tmp_path / "a.txt", ImageInfo("a", (4, 5), make_spec())) as writer:
        writer.add("first")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_a_kind_of_output_must_define_has_no_default(tmp_path):
    with pytest.raises(NotImplementedError):
        Writer.choose_suffix(Path("a.png"))
    with pytest.raises(NotImplementedError):
        Lines.write_folder_file(tmp_path / "all.txt", [], make_spec())
    assert list(ImageInfo("a", (1, 1), make_spec()).clean_rows(iter([1, 2]))) == [1, 2]  # unchanged
