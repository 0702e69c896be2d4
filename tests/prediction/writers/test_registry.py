"""The kinds of output, and a new one by one class and one line."""

import pytest

from segapp.cli import main
from segapp.errors import MisuseError
from segapp.prediction.tasks import list_tasks
from segapp.prediction.writers.registry import WRITERS, find_writers
from segapp.prediction.writers.writer import Writer


class NoteWriter(Writer):
    """A text file of an image's size."""

    name = "note"
    help = "the size as text"

    @classmethod
    def choose_suffix(cls, image):
        return ".txt"

    def finish(self, mask):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(f"{self.image.size[0]} x {self.image.size[1]}")


def test_names_are_those_of_the_classes():
    assert [writer.name for writer in find_writers(["coco", "mask", "coco"])] == ["coco", "mask"]
    assert all(
        writer.name == name and writer.help and not writer.help.endswith(".") for name, writer in WRITERS.items()
    )


@pytest.mark.parametrize(("names", "found"), [(["mask", "maks"], "'maks' (did you mean 'mask'?)"), ([], "--save")])
def test_unknown_names_are_refused_with_the_known_ones(names, found):
    with pytest.raises(MisuseError) as error:
        find_writers(names)
    assert found in str(error.value)
    assert all(name in str(error.value) for name in WRITERS)


def test_the_command_line_takes_names_and_help_from_the_registry(tmp_path, capsys):
    assert main(["predict", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert all(name in shown and writer.help in shown for name, writer in WRITERS.items())
    (tmp_path / "x.ckpt").touch()
    words = ["--ckpt_path", str(tmp_path / "x.ckpt"), "--images", str(tmp_path), "--output", str(tmp_path / "out")]
    assert main(["predict", *words, "--save", "masks"]) == 2
    assert "did you mean 'mask'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_new_kind_is_planned_without_another_change(tmp_path, monkeypatch):
    monkeypatch.setitem(WRITERS, "note", NoteWriter)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    (task,) = list_tasks(tmp_path / "images", tmp_path / "out", ["note"])
    assert task.outputs == {"note": tmp_path / "out" / "note" / "a.txt"}
