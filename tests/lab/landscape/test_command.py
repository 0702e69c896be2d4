"""`segapp landscape`: from a checkpoint to numbers and pictures, interrupted or not."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from segapp.cli import main
from segapp.lab.landscape.command import _parse_named_folder, landscape
from segapp.lab.landscape.figures import _write_captions
from segapp.lab.landscape.numbers import read_landscape, write_caption
from segapp.lab.landscape.opening import LandscapeRequest, open_landscape
from segapp.lab.landscape.points import compute_losses
from segapp.lab.landscape.surface import LossSurface

pytestmark = pytest.mark.usefixtures("without_curves")
TINY = Path(__file__).parents[2] / "tiny.yaml"
EVERY_EPOCH = {
    "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
    "init_args": {"filename": "{epoch}", "save_top_k": -1, "dirpath": "epochs"},
}
SMALL = ["--samples", "3", "--points", "3", "--seeds", "2"]
LINES = ["--samples", "2", "--points", "0", "--seeds", "2"]


@pytest.fixture(scope="module")
def trained(without_curves, tmp_path_factory):
    """A folder with a run of four epochs, every epoch's weights kept."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        config = yaml.safe_load(TINY.read_text())
        config["trainer"] |= {"max_epochs": 4, "callbacks": [EVERY_EPOCH]}
        Path("config.yaml").write_text(yaml.safe_dump(config))
        assert main(["fit", "--config", "config.yaml", "--data.num_workers", "0", "--trainer.logger", "false"]) == 0
    return folder


@pytest.fixture
def best(trained, tmp_path, monkeypatch):
    """The path of its best checkpoint, in a copy of the folder that is the working one."""
    shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return str(next(Path("runs/tiny").glob("2*/checkpoints/best.ckpt")))


@pytest.fixture(scope="module")
def computed(trained, tmp_path_factory):
    """A finished landscape of two lines, of the best checkpoint."""
    folder = tmp_path_factory.mktemp("computed") / "lines"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained)
        (best,) = Path("runs/tiny").glob("2*/checkpoints/best.ckpt")
        assert main(["landscape", "--ckpt_path", str(best), *LINES, "--output", str(folder)]) == 0
    return folder


@pytest.fixture
def lines(best, computed):
    """A copy of it, `lines`, in the working folder."""
    return shutil.copytree(computed, "lines")


def numbers(folder):
    with np.load(folder / "landscape.npz") as found:
        return {name: found[name] for name in found.files}


def folder_of(best):
    return Path(best).parents[1] / "landscape"


@pytest.mark.slow
def test_numbers_and_pictures_lie_in_the_run_and_the_checkpoint_is_untouched(best, capsys):
    before = hashlib.sha256(Path(best).read_bytes()).hexdigest()
    assert main(["landscape", "--ckpt_path", best, *SMALL, "--eigenvalues", "2"]) == 0
    folder = folder_of(best)
    names = {"landscape.npz", "landscape.json", "contours.png", "surface.png", "lines.png"}
    assert {path.name for path in folder.iterdir()} == names
    found, record = numbers(folder), json.loads((folder / "landscape.json").read_text())
    assert found["plane"].shape == (3, 3) and found["lines"].shape == (2, 21) and found["done"].all()
    assert found["plane"][1, 1] == pytest.approx(found["lines"][0, 10], rel=1e-6)  # both are the centre
    assert record["statistics"] == "frozen" and record["samples"] == 3 and len(record["images"]) == 3
    assert len(record["sharpness"]) == 2 and len(record["eigenvalues"]["largest"]) == 2
    assert hashlib.sha256(Path(best).read_bytes()).hexdigest() == before == record["sha256"][0]
    printed = capsys.readouterr()
    assert "mean second difference" in printed.out
    points = 2 * 21 + 3 * 3
    assert printed.out.startswith(f"reading {best}")  # before anything that takes long
    assert f"landscape: 0 of {points} points" in printed.err
    assert f"landscape: {points} of {points} points" in printed.err
    assert "eigenvalues: 0 products" in printed.err


@pytest.mark.slow
def test_an_interrupted_landscape_goes_on_with_the_same_numbers(best, monkeypatch, capsys):
    assert main(["landscape", "--ckpt_path", best, *SMALL, "--output", "whole"]) == 0
    compute, calls = LossSurface.compute_loss, []

    def interrupted(self, step):
        calls.append(step)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return compute(self, step)

    monkeypatch.setattr(LossSurface, "compute_loss", interrupted)
    again = ["landscape", "--ckpt_path", best, *SMALL, "--output", "parts"]
    assert main(again) == 130
    assert numbers(Path("parts"))["done"].sum() == 19
    assert main(["landscape", "--redraw", "parts"]) == 2
    assert "not finished" in capsys.readouterr().err
    assert main(again) == 0
    assert len(calls) == 20 + 51 - 19
    whole, parts = numbers(Path("whole")), numbers(Path("parts"))
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)
    assert main(again) == 0  # there is nothing left to compute
    assert len(calls) == 20 + 51 - 19


@pytest.mark.slow
def test_two_devices_give_the_same_numbers(best):
    request = LandscapeRequest(best, None, "val", 2, 2, recalibrate=True)
    opened = open_landscape(request)
    todo = [(7, {0: 0.5}), (1, {1: -1.0}), (3, {})]
    alone = dict(compute_losses(request, opened, todo, 1))
    together = dict(compute_losses(request, opened, todo, 2))
    assert together == pytest.approx(alone, rel=1e-5)
    assert opened.surface.statistics == "recalibrated"


@pytest.mark.slow
def test_training_is_drawn_on_the_plane_that_it_moved_in(best):
    epochs = sorted(map(str, Path("epochs").glob("*.ckpt")))
    assert len(epochs) == 4
    given = [word for path in epochs for word in ("--trajectory", path)]
    assert main(["landscape", "--ckpt_path", epochs[-1], *given, *SMALL, "--output", "path"]) == 0
    found, record = numbers(Path("path")), json.loads(Path("path/landscape.json").read_text())
    assert found["path"].shape == (4, 2)
    assert found["path"][-1] == pytest.approx([0, 0], abs=1e-6)
    assert 0.5 < sum(record["explained"]) <= 1
    assert found["first"][0] < found["path"][:, 0].min() and found["path"][:, 0].max() < found["first"][-1]


@pytest.mark.slow
def test_other_data_may_be_given(best, capsys):
    other = yaml.safe_load(TINY.read_text())["data"]["source"]
    Path("other.yaml").write_text(yaml.safe_dump({"source": other}))
    assert main(["landscape", "--ckpt_path", best, "--data", "other.yaml", *LINES, "--split", "test"]) == 0
    assert not (folder_of(best) / "contours.png").exists()
    Path("other.yaml").write_text("crop: 3\n")
    assert main(["landscape", "--ckpt_path", best, "--data", "other.yaml", "--output", "new"]) == 2
    assert "not a data section" in capsys.readouterr().err


@pytest.mark.slow
def test_finished_landscapes_are_drawn_together_on_one_scale(best):
    for name, seeds in (("a", "2"), ("b", "3")):
        arguments = ["--samples", "2", "--points", "3", "--seeds", seeds, "--output", name]
        assert main(["landscape", "--ckpt_path", best, *arguments]) == 0
    before = Path("a/contours.png").stat().st_size
    assert main(["landscape", "--redraw", "one=a", "--redraw", "other=b", "--output", "both"]) == 0
    assert {path.name for path in Path("both").iterdir()} == {"contours.png", "surface.png", "lines.png"}
    assert Path("both/contours.png").stat().st_size > before
    assert main(["landscape", "--redraw", "a", "--redraw", "b"]) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--points", "2"], "3 or more"),
        (["--seeds", "1"], "seeds must be 2 or more"),
        (["--samples", "0"], "samples 1 or more"),
        (["--radius", "0"], "radius between"),
        (["--devices", "0"], "--devices must be 1 or more"),
        (["--eigenvalues", "-1"], "eigenvalues must be 0 or more"),
        (["--radius", "2", "--trajectory", "nowhere.ckpt"], "--radius cannot be used"),
        (["--split", "other"], "split"),
        (["--trajectory", "nowhere.ckpt"], "nowhere.ckpt"),
        (["--data", "nowhere.yaml"], "nowhere.yaml"),
        (["--output", "runs"], "holds no landscape"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(best, arguments, sentence, capsys):
    assert main(["landscape", "--ckpt_path", best, *arguments]) == 2
    said = capsys.readouterr().err
    assert sentence in said and "Traceback" not in said


@pytest.mark.parametrize("output", ["file", "file/inside"])
def test_a_file_cannot_be_the_folder(best, lines, output, capsys):
    Path("file").touch()
    assert main(["landscape", "--ckpt_path", best, *LINES, "--output", output]) == 2
    assert f"segapp: nothing can be written to {output} (" in capsys.readouterr().err
    assert main(["landscape", "--redraw", "lines", "--output", output]) == 2
    said = capsys.readouterr().err
    assert f"segapp: nothing can be written to {output} (" in said and said.endswith("; name another --output.\n")


def test_a_run_that_may_not_be_written_is_said_before_anything_is_computed(best, monkeypatch, capsys):
    """Refused by hand, since the superuser may write anywhere."""

    def refused(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    folder = folder_of(best)
    folder.mkdir()
    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    monkeypatch.setattr(Path, "write_text", refused)
    assert main(["landscape", "--ckpt_path", best, *SMALL]) == 2
    sentence = f"segapp: nothing can be written to {folder.resolve()} (Permission denied); name another --output.\n"
    assert capsys.readouterr().err == sentence


def test_another_landscape_is_not_written_over(best, computed, capsys):
    shutil.copytree(computed, folder_of(best))
    kept = (folder_of(best) / "landscape.npz").read_bytes()
    assert main(["landscape", "--ckpt_path", best, *LINES[2:], "--samples", "4"]) == 2
    assert "other samples" in capsys.readouterr().err
    assert (folder_of(best) / "landscape.npz").read_bytes() == kept


def test_samples_that_are_cut_otherwise_are_another_landscape(best, capsys):
    source = yaml.safe_load(TINY.read_text())["data"]["source"]
    again = ["landscape", "--ckpt_path", best, *LINES, "--data", "other.yaml", "--output", "lines"]
    Path("other.yaml").write_text(yaml.safe_dump({"source": source}))
    assert main(again) == 0
    Path("other.yaml").write_text(yaml.safe_dump({"source": source, "batch_size": 1}))
    assert main(again) == 2
    assert "other settings of its data" in capsys.readouterr().err


@pytest.mark.slow
def test_eigenvalues_that_were_found_are_kept(best, monkeypatch):
    lines = ["--points", "0", "--samples", "2", "--seeds", "2", "--output", "lines"]
    assert main(["landscape", "--ckpt_path", best, *lines, "--eigenvalues", "1"]) == 0
    kept = json.loads(Path("lines/landscape.json").read_text())
    monkeypatch.setattr(LossSurface, "compute_eigenvalues", None)  # nor are they looked for twice
    for again in ([], ["--eigenvalues", "1"]):
        assert main(["landscape", "--ckpt_path", best, *lines, *again]) == 0
        assert json.loads(Path("lines/landscape.json").read_text()) == kept


def test_the_lines_are_finished_before_eigenvalues_are_sought(best, monkeypatch):
    def interrupted(self, count, each):
        raise KeyboardInterrupt

    monkeypatch.setattr(LossSurface, "compute_eigenvalues", interrupted)
    lines = ["--points", "0", "--samples", "2", "--seeds", "2", "--output", "lines"]
    assert main(["landscape", "--ckpt_path", best, *lines, "--eigenvalues", "1"]) == 130
    assert main(["landscape", "--redraw", "lines"]) == 0


def test_a_folder_with_an_equals_sign_is_drawn_again(lines):
    folder = Path(shutil.copytree(lines, "variants/norm=batch/landscape"))
    assert _parse_named_folder(str(folder)) == (None, folder)
    assert _parse_named_folder(f"with norm={folder}") == ("with norm", folder)
    assert _parse_named_folder(f"norm=batch={folder}") == ("norm=batch", folder)
    assert _parse_named_folder("a=nowhere") == ("a", Path("nowhere"))
    assert _parse_named_folder("nowhere") == (None, Path("nowhere"))
    assert main(["landscape", "--redraw", str(folder), "--redraw", f"other={folder}", "--output", "both"]) == 0


def test_panels_of_different_kinds_say_so(best, lines):
    assert main(["landscape", "--ckpt_path", best, *LINES, "--output", "b", "--recalibrate", "true"]) == 0
    frozen, anew = (read_landscape(Path(folder), name) for folder, name in ((lines, "a"), ("b", "b")))
    assert _write_captions([frozen, frozen]) == write_caption(frozen)
    mixed = _write_captions([frozen, anew])
    assert "a: " in mixed and "frozen" in mixed and "b: " in mixed and "counted anew" in mixed


@pytest.mark.parametrize("place", [("data", "source"), ("model", "loss")])
def test_a_checkpoint_does_not_choose_which_code_runs(best, place, capsys):
    checkpoint = torch.load(best, weights_only=True)
    config = checkpoint["segapp"]["config"]
    config[place[0]][place[1]] = {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", "owned"]}}
    torch.save(checkpoint, "evil.ckpt")
    assert main(["landscape", "--ckpt_path", "evil.ckpt", *SMALL]) == 2
    assert "subprocess.Popen" in capsys.readouterr().err
    assert not Path("owned").exists()


def test_without_a_checkpoint_it_says_what_it_needs(capsys):
    assert main(["landscape"]) == 2
    assert "--ckpt_path" in capsys.readouterr().err
    assert landscape.__doc__
