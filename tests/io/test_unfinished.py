"""What a killed process was writing is removed, and nothing else."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest

from segapp.io import write_atomically, write_folder_atomically, write_mask
from segapp.io.unfinished import open_unfinished, remove_left_overs

PALETTE = ((0, 0, 0), (255, 0, 0), (0, 0, 255))


INDICES = np.random.default_rng(0).integers(0, 3, (37, 50), np.uint8)


DIES_WRITING = """
import os, sys
from pathlib import Path
from segapp.io.unfinished import open_unfinished
with open_unfinished(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_was_writing_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left = [".a.segapp-0123456789ab.png", ".b.segapp-0123456789ab", ".bundle.segapp-ba9876543210"]
    kept = [".a.0123456789ab.png", "a.segapp-0123456789ab.png", ".a.segapp-0123456789abc.png", ".hidden"]
    for name in [*left[:2], *kept]:
        (tmp_path / name).write_text("half")
    (tmp_path / left[2]).mkdir()
    (tmp_path / left[2] / "network.onnx").write_text("half")
    with write_atomically(tmp_path / "c.png") as ours, write_folder_atomically(tmp_path / "new") as folder:
        remove_left_overs(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, ours.name, folder.name])
        ours.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "c.png", "new"])


def test_a_process_removes_left_overs_where_it_first_writes(tmp_path: Path) -> None:
    (tmp_path / ".x.segapp-0123456789ab.png").write_text("half")
    write_mask(tmp_path / "a.png", INDICES, PALETTE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_folder_that_another_process_removes_before_it_is_locked_is_made_again(tmp_path, monkeypatch) -> None:
    opened, real = [], os.open

    def remove_first(path, *rest):
        if not opened:
            Path(path).rmdir()
        opened.append(path)
        return real(path, *rest)

    monkeypatch.setattr(os, "open", remove_first)
    with open_unfinished(tmp_path / "set", is_folder=True) as temporary:
        assert temporary.is_dir() and opened == [temporary, temporary]


def test_the_lock_of_a_killed_process_is_given_back(tmp_path: Path) -> None:
    words = [sys.executable, "-c", DIES_WRITING, str(tmp_path / "a.png")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, cwd=Path(__file__).parents[2], **pipes) as process:
        assert process.stdout is not None and process.stdout.readline() == b"writing\n"
        remove_left_overs(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
        process.kill()
    remove_left_overs(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_link_under_the_temporary_name_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that others may write to, it would lead to a file of the user."""
    (tmp_path / "precious.txt").write_text("precious")
    number = uuid.uuid4()
    monkeypatch.setattr(uuid, "uuid4", lambda: number)
    (tmp_path / f".a.segapp-{number.hex[:12]}.txt").symlink_to("precious.txt")
    with pytest.raises(OSError), write_atomically(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "precious.txt").read_text() == "precious"
