"""`segapp study` and `segapp compare` as a person runs them: tiny variants, killed, failed, resumed, compared."""

import csv
import html
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch import Callback

from segapp.cli import main

ROOT = Path(__file__).parents[3]
ENCODER = "model.net.init_args.encoder.init_args"
STUDY = {
    "about": "Long skips <with & without>.",
    "base": str(ROOT / "configs" / "unet.yaml"),
    "set": {
        "data.source.init_args": {"root": "cells", "size": 32, "train": 6, "val": 2, "test": 5},
        "data.crop": [32, 32],
        "data.crops_per_image": 2,
        "data.batch_size": 4,
        "data.window": None,
        f"{ENCODER}.widths": [4, 8],
        "trainer.max_epochs": 2,
        "trainer.accelerator": "cpu",
        "trainer.callbacks": [],
    },
    "grid": {"model.net.init_args.long_skip": ["concat", "none"]},
    "seeds": [0, 1],
    "contrasts": [{"name": "long skips", "variants": "long_skip=concat", "against": "long_skip=none"}],
}


class Killing(Callback):
    """As the kernel does when there is no memory left."""

    def on_train_start(self, trainer, pl_module) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def segapp(folder: Path, *words: str) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "segapp", *words]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=280)
    return output.decode()


def write(folder: Path, **changes) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(STUDY | changes))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def table(folder: Path) -> list[dict[str, str]]:
    """The table without what depends on the clock."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows(folder / "runs/tiny/table.csv")]


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A folder in which the study has run undisturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write(folder)
    process = segapp(folder, "study", "--config", "tiny.yaml", "--workers", "2")
    output = finish(process)
    assert process.returncode == 0, output
    assert "4 of 4 runs finished" in output
    return folder


@pytest.mark.slow
def test_a_study_writes_its_tables_and_a_page_that_needs_nothing_else(done):
    study = done / "runs" / "tiny"
    assert [(row["variant"], row["seed"]) for row in table(done)] == [
        ("long_skip=concat", "0"),
        ("long_skip=none", "0"),
        ("long_skip=concat", "1"),
        ("long_skip=none", "1"),
    ]
    assert all(float(row["dice/dataset"]) > 0 and row["epochs"] == "2" for row in table(done))
    assert len(rows(study / "images.csv")) == 4 * 5
    (effect,) = [row for row in rows(study / "effects.csv") if row["score"] == "dice/image"]
    images = rows(study / "images.csv")
    means = [
        sum(float(row["dice"]) for row in images if row["variant"] == variant) / 10
        for variant in ("long_skip=concat", "long_skip=none")
    ]
    assert float(effect["estimate"]) == pytest.approx(means[0] - means[1], abs=1e-5)
    assert 0 < float(effect["p"]) <= 1
    page = (study / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "@import" not in page and "<script" not in page
    assert "Long skips &lt;with &amp; without&gt;." in page
    assert "seeds and groups of images both taken as samples of others" in page
    assert r"\toprule" in (study / "effects.tex").read_text()


@pytest.mark.slow
def test_variants_begin_alike_and_are_ordinary_runs(done, tmp_path, monkeypatch):
    """The same config through `segapp fit` in this process ends with the same weights."""
    folder = done / "runs/tiny/variants/long_skip=none/seed-1"
    (ours,) = folder.glob("2*/checkpoints/last.ckpt")
    monkeypatch.chdir(done)
    torch.set_num_threads(1)
    assert main(["fit", "--config", str(folder / "config.yaml"), "--trainer.default_root_dir", str(tmp_path)]) == 0
    (theirs,) = tmp_path.rglob("last.ckpt")
    one, other = (torch.load(path, weights_only=True)["state_dict"] for path in (ours, theirs))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_a_killed_study_resumes_and_gives_the_same_table(done, tmp_path):
    write(tmp_path)
    process = segapp(tmp_path, "study", "--config", "tiny.yaml", "--workers", "2")
    variants = tmp_path / "runs" / "tiny" / "variants"
    until(lambda: list(variants.glob("*/*/*/checkpoints/last.ckpt")), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    states = [json.loads(path.read_text())["status"] for path in variants.glob("*/*/state.json")]
    assert "finished" not in states
    again = segapp(tmp_path, "study", "--config", "tiny.yaml", "--workers", "2")
    output = finish(again)
    assert again.returncode == 0, output
    assert table(tmp_path) == table(done)
    without_times = [(tmp_path / "runs/tiny" / name).read_text() for name in ("images.csv", "effects.csv")]
    assert without_times == [(done / "runs/tiny" / name).read_text() for name in ("images.csv", "effects.csv")]


@pytest.mark.slow
def test_a_study_on_a_ray_cluster_gives_the_same_table(done, tmp_path):
    pytest.importorskip("ray", reason="the extra `ray` is not installed: 200 MB that only this needs")
    write(tmp_path)
    process = segapp(tmp_path, "study", "--config", "tiny.yaml", "--workers", "2", "--ray", "local")
    output = finish(process)
    assert process.returncode == 0, output
    assert table(tmp_path) == table(done)


@pytest.mark.slow
def test_an_arm_that_is_killed_on_a_ray_cluster_is_told_and_the_others_finish(tmp_path):
    pytest.importorskip("ray", reason="the extra `ray` is not installed: 200 MB that only this needs")
    killing = {"class_path": "tests.lab.study.test_command.Killing"}
    write(tmp_path, grid={"kind": {"good": {}, "killed": {"trainer.callbacks": [killing]}}}, seeds=[0], contrasts=[])
    process = segapp(tmp_path, "study", "--config", "tiny.yaml", "--ray", "local")
    output = finish(process)
    assert process.returncode == 1, output
    assert "failed: killed, seed 0: its process ended with WorkerCrashedError" in output
    assert {row["variant"]: row["status"] for row in table(tmp_path)} == {"good": "finished", "killed": "failed"}


@pytest.mark.slow
def test_one_arm_that_fails_is_told_and_the_others_finish(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bad = {"good": {"data.batch_size": 4}, "bad": {"model.optimizer.init_args.lr": "fast"}}
    write(tmp_path, grid={"kind": bad}, seeds=[0], contrasts=[])
    assert main(["study", "--config", "tiny.yaml"]) == 1
    output = capsys.readouterr().out
    assert "failed: bad, seed 0" in output and "lr" in output
    status = {row["variant"]: row["status"] for row in table(tmp_path)}
    assert status == {"good": "finished", "bad": "failed"}
    assert "bad, seed 0: failed." in (tmp_path / "runs/tiny/report.html").read_text()


@pytest.mark.slow
def test_redrawing_needs_the_numbers_only_and_gives_the_same(done, monkeypatch):
    monkeypatch.chdir(done)
    study = Path("runs/tiny")
    names = ["report.html", "table.csv", "effects.csv", "variants.tex", "figures/curves.png"]
    before = {name: (study / name).read_bytes() for name in names}
    for name in names:
        (study / name).unlink()
    assert main(["study", "--config", "tiny.yaml", "--redraw"]) == 0
    assert {name: (study / name).read_bytes() for name in names} == before


@pytest.mark.slow
def test_the_copy_that_a_study_keeps_is_a_study_too(done, monkeypatch):
    monkeypatch.chdir(done)
    kept = Path("runs/tiny/study.yaml")
    before = kept.read_bytes()
    kept.write_text(yaml.safe_dump(STUDY | {"name": "tiny"}))
    assert main(["study", "--config", str(kept)]) == 0
    assert yaml.safe_load(kept.read_text())["name"] == "tiny"
    kept.write_bytes(before)


@pytest.mark.slow
def test_finished_runs_are_compared(done, monkeypatch, capsys):
    monkeypatch.chdir(done)
    runs = [str(path.parent) for path in sorted(Path("runs/tiny/variants").glob("*/seed-0/2*/config.yaml"))]
    assert main(["compare", *runs, "--output", "out", "--pictures", "2"]) == 0
    (row,) = [row for row in rows(Path("out/effects.csv")) if row["score"] == "iou/image"]
    images = rows(Path("out/images.csv"))
    by_arm = {
        variant: [float(r["iou"]) for r in images if r["variant"] == variant]
        for variant in dict.fromkeys(r["variant"] for r in images)
    }
    (_, base), (_, other) = by_arm.items()
    assert float(row["estimate"]) == pytest.approx(sum(other) / 5 - sum(base) / 5, abs=1e-5)
    settings = {row["setting"] for row in rows(Path("out/settings.csv"))}
    assert settings == {"model.net.init_args.long_skip"}
    page = Path("out/report.html").read_text()
    assert page.count("data:image/jpeg") >= 2
    assert main(["compare", *runs, "--output", "out"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert main(["compare", *runs, "--output", "out two", "--neighbours", "2", "--score", "iou"]) == 0
    found = re.search("<pre>(segapp compare .*)</pre>", Path("out two/report.html").read_text())
    assert found is not None
    before = Path("out two/effects.csv").read_bytes()
    Path("out two/effects.csv").unlink()
    assert main(shlex.split(html.unescape(found[1]))[1:]) == 0
    assert Path("out two/effects.csv").read_bytes() == before


def test_a_landscape_that_cannot_be_drawn_is_refused_before_anything_trains(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, landscape={"points": 2})
    assert main(["study", "--config", "tiny.yaml"]) == 2
    assert "tiny.yaml: landscape: points must be 3 or more" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_checkpoint_is_no_study(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("last.ckpt").write_bytes(b"PK\x03\x04\x80\xff")
    assert main(["study", "--config", "last.ckpt"]) == 2
    assert capsys.readouterr().err.startswith("segapp: last.ckpt: ")


def test_a_comparison_needs_runs_that_were_tested(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "one"]) == 2
    assert "two runs" in capsys.readouterr().err
    assert main(["compare", "one", "two"]) == 2
    assert "not the folder of a run" in capsys.readouterr().err
    for name in ("one", "two"):
        Path(name).mkdir()
        parts = {"data": {"source": {"class_path": "Cells"}}, "model": {"net": {"class_path": "UNet"}}}
        Path(name, "config.yaml").write_text(yaml.safe_dump({"name": "mine", "seed_everything": 0} | parts))
    assert main(["compare", "one", "two"]) == 2
    assert "segapp test --ckpt_path one/checkpoints/best.ckpt" in capsys.readouterr().err


def until(condition, process: subprocess.Popen, seconds: float = 120) -> None:
    started = time.monotonic()
    while not condition():
        assert process.poll() is None, process.communicate()[0].decode()
        assert time.monotonic() - started < seconds
        time.sleep(0.05)
