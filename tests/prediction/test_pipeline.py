"""Images are read, computed and written at the same time."""

from pathlib import Path

import pytest

from segapp.errors import FatalError, MisuseError
from segapp.inference.engine import Engine
from segapp.inference.open import GPU_BATCH
from segapp.inference.runtime import TorchRuntime
from segapp.io import read_raw
from segapp.prediction.outputs import ImageOutputs
from segapp.prediction.pipeline import ON_CPU, Pace, _remove_folders, choose_pace
from segapp.prediction.tasks import ImageTask
from tests.prediction.predicting import files, make_run, put, scene, table

PROBABILITIES = Engine.compute_probabilities


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


@pytest.mark.parametrize("moment", [Engine.compute_indices, ImageOutputs.write], ids=["computing", "writing"])
def test_an_interrupt_leaves_complete_files_only(run, tmp_path, monkeypatch, capsys, moment):
    for index in range(12):
        put(tmp_path / "images", f"{index:02}.png", scene(40, 50, index)[0])
    calls = []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return moment(*arguments)

    owner = Engine if moment is Engine.compute_indices else ImageOutputs
    monkeypatch.setattr(owner, moment.__name__, interrupted)
    assert run() == 130
    written = files(tmp_path / "out")
    assert written
    assert len(written) < 12
    assert all(not Path(name).name.startswith(".") for name in written)
    for name in written:
        assert read_raw(tmp_path / "out" / name).shape == (40, 50)
    assert "every file written is complete" in capsys.readouterr().err
    monkeypatch.undo()
    assert run() == 0
    assert len(files(tmp_path / "out")) == 12
    assert "images are done already" in capsys.readouterr().out


def test_a_crash_while_writing_leaves_no_half_file(run, tmp_path, capsys):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    put(tmp_path / "images", "b.png", scene(40, 50)[0])
    (tmp_path / "out" / "mask" / "a.png").mkdir(parents=True)  # a folder where the mask should go
    assert run(overwrite=True) == 1
    assert files(tmp_path / "out") == ["mask/b.png"]
    assert [row["image"] for row in table(tmp_path / "out")] == ["b.png"]
    assert "a.png" in capsys.readouterr().err


def test_what_no_image_is_to_blame_for_ends_the_run(run, tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        put(tmp_path / "images", name, scene(40, 50)[0])

    def full(self, images):
        raise MisuseError("no memory is left")

    monkeypatch.setattr(TorchRuntime, "__call__", full)
    with pytest.raises(FatalError, match="no memory is left"):
        run()
    assert files(tmp_path / "out") == []


def test_probabilities_leave_the_device_only_where_they_are_written(run, tmp_path, monkeypatch):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    asked = []
    monkeypatch.setattr(Engine, "compute_probabilities", lambda *given: asked.append(1) or PROBABILITIES(*given))
    assert run() == 0
    assert not asked
    assert run(["uncertainty"], output=str(tmp_path / "other")) == 0
    assert asked


def test_a_gpu_is_fed_by_more_threads_than_a_cpu():
    assert choose_pace(on_gpu=False, cores=64) == ON_CPU
    assert choose_pace(on_gpu=True, cores=16).threads == 8
    assert choose_pace(on_gpu=True, cores=1).threads == 2
    assert choose_pace(on_gpu=True, cores=16).depth >= GPU_BATCH


def test_many_readers_give_the_same_masks(run, tmp_path, monkeypatch):
    for number in range(7):
        put(tmp_path / "images", f"{number}.png", scene(40 + number, 50, number)[0])
    assert run(batch_size=3) == 0
    monkeypatch.setattr("segapp.commands.predict.choose_pace", lambda *given: Pace(4, 8, 3))
    assert run(batch_size=3, output=str(tmp_path / "other")) == 0
    for path in sorted((tmp_path / "out").rglob("*.png")):
        assert path.read_bytes() == (tmp_path / "other" / path.relative_to(tmp_path / "out")).read_bytes()


def test_a_problem_in_the_manifest_names_no_folder_of_this_machine():
    task = ImageTask(Path("/data/in/sub/a.png"), {"mask": Path("/data/out/mask/sub/a.png")}, "sub/a.png", "sub/a")
    problem = "/data/in/sub/a.png: is truncated; /data/out/mask/sub/a.png: the disk is full."
    assert _remove_folders(problem, task) == "sub/a.png: is truncated; a.png: the disk is full."
