"""The figures of benchmarks/ are what they are called, and each benchmark runs in its smallest form."""

import itertools
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from segapp.checkpoints.building import build_network
from segapp.checkpoints.version import VERSION
from segapp.commands import predict
from segapp.io import read_raw
from segapp.models import PlainEncoder, UNet
from segapp.spec import Spec
from tests.lab.folds.sample import CONFIG, write_data

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Imports a file of benchmarks/ as its own command does, and forgets it afterwards."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    for name in ("open_networks", "compute_fingerprint"):  # what prepared.open_once replaces stands again afterwards
        monkeypatch.setattr(predict, name, getattr(predict, name))
    before = set(sys.modules)
    yield lambda name: __import__(name)
    for name in set(sys.modules) - before:
        if (BENCHMARKS / f"{name}.py").is_file() or (BENCHMARKS / "gpu" / f"{name}.py").is_file():
            del sys.modules[name]


def trained(name, channels):
    """A checkpoint of a network of a few weights, where the benchmarks look for theirs."""
    net = {"class_path": "segapp.models.UNet"}
    encoder = {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [2, 2]}}
    net["init_args"] = {"in_channels": channels, "num_classes": 2, "encoder": encoder}
    spec = Spec(("background", "cell"), 0, ((0, 0, 0), (9, 9, 9)), channels)
    record = {"version": VERSION, "spec": spec.to_dict(), "net": net, "config": {}, "splits": {}, "scores": {}}
    weights = build_network(name, net, ()).state_dict()
    path = Path("runs/benchmarks", name, "best.ckpt")
    path.parent.mkdir(parents=True)
    torch.save({"state_dict": {f"net.{key}": value for key, value in weights.items()}, "segapp": record}, path)
    path.parent.with_suffix(".txt").write_text(str(path))
    return path


def test_every_arm_has_each_place_in_the_order_and_its_own_seconds(script):
    ticks, order = itertools.count(), []
    arms = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = script("interleaved").interleaved(arms, 3, steps=2, clock=lambda: 2 * next(ticks), warm=1)
    assert "".join(order) == "abc" + "aabbcc" + "bbccaa" + "ccaabb"
    assert seconds == {name: [1, 1, 1] for name in "abc"}  # a tick of two, over two steps


def test_the_ratio_is_of_pairs_and_its_interval_holds_what_a_bootstrap_in_loops_draws(script):
    times, base = [2.0, 9.0, 40.0, 5.0, 6.0], [1.0, 3.0, 10.0, 1.0, 1.0]  # ratios 2 3 4 5 6
    said = script("interleaved").ratio(times, base)
    assert said.startswith("4.000 (")
    draws = [np.median(draw) for draw in itertools.product([2, 3, 4, 5, 6], repeat=5)]  # all 3,125, each as likely
    low, high = np.quantile(draws, [0.025, 0.975])
    assert said == f"4.000 ({low:.3f} … {high:.3f})"


def test_a_table_is_markdown(script):
    assert script("interleaved").table(["a", "b"], [[1, "x"]]) == "| a | b |\n| --- | --- |\n| 1 | x |"


def run(script, name, monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", [name, *options])
    script(name).main()


@pytest.mark.slow
def test_folder_compares_all_its_arms(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trained("small", 1)
    run(script, "folder", monkeypatch, "--images", "2", "--block", "1", "--repeats", "1", "--networks", "small")
    said = capsys.readouterr().out
    assert all(f"\n| {arm} | " in said for arm in ("bare", "segapp", "loop"))


@pytest.mark.slow
def test_tiled_measures_time_and_memory(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trained("small-rgb", 3)
    run(script, "tiled", monkeypatch, "--sizes", "600", "--repeats", "1")
    assert "| 600² | 4 | segapp | " in capsys.readouterr().out
    run(script, "tiled", monkeypatch, "--memory", "--side", "600", "--classes", "3")
    said = capsys.readouterr().out
    assert "| 300 x 600 | 3 | " in said
    assert "| 600 x 600 | 3 | " in said


@pytest.mark.slow
def test_cold_start_waits_for_each_mask(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trained("resnet34", 1)
    run(script, "cold_start", monkeypatch, "--repeats", "1", "--nnunet_repeats", "0")
    said = capsys.readouterr().out
    assert all(f"\n| {arm} | " in said for arm in ("checkpoint", "onnx", "openvino", "script"))


@pytest.mark.slow
def test_wrong_masks_damages_every_mask_and_ranks_them(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data")
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(CONFIG["data"]))
    path = str(trained("discs", 3))
    options = ("--splits", "train", "val", "test", "--draws", "3")
    run(script, "wrong_masks", monkeypatch, "--data", "data.yaml", "--ckpt_path", path, *options)
    said = capsys.readouterr().out
    assert "12 images of train and val and test" in said and "\n| all | 3 | " in said


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["png", "geotiff", "nifti"])
def test_kinds_compares_the_loader_with_a_plain_loop(script, kind, monkeypatch, capsys):
    run(script, "kinds", monkeypatch, "--kinds", kind, "--images", "2", "--blocks", "2", "--batches", "1")
    said = capsys.readouterr().out
    assert f"\n| {kind} | plain loop | " in said and f"\n| {kind} | loader | " in said


def test_more_classes_are_a_wider_head_on_the_same_weights(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = trained("small", 1)
    made = torch.load(script("prepared").with_classes(path, 7), weights_only=True)
    net = UNet(1, 7, encoder=lambda channels: PlainEncoder(channels, widths=[2, 2]))
    net.load_state_dict({key.removeprefix("net."): value for key, value in made["state_dict"].items()})
    given = torch.load(path, weights_only=True)["state_dict"]
    differing = {key for key, value in given.items() if not torch.equal(value, made["state_dict"][key])}
    assert differing and all(key.startswith("net.head.") for key in differing)
    assert len(Spec.from_dict(made["segapp"]["spec"]).classes) == 7


def test_a_checkerboard_is_a_peak_of_its_period_alone(script):
    upsampling = script("upsampling")
    noise = np.random.default_rng(0).normal(0, 1, (2, 2, 256, 256))
    y, x = np.mgrid[:256, :256]
    for period in (2, 4, 8):
        pattern = (y % period == 0) & (x % period == 0)
        found = {
            other: upsampling.peak(noise + 3 * np.array([1, -1])[:, None, None] * pattern, other) for other in (2, 4, 8)
        }
        assert found[period] > 10
        assert all(value < 2 for other, value in found.items() if other > period)  # longer periods have none of it
    assert all(abs(upsampling.peak(noise, period)) < 2 for period in (2, 4, 8))


def test_dots_are_pixels_that_no_neighbour_resembles(script):
    logits = np.zeros((1, 3, 12, 12))
    logits[0, 1, 4, 4] = logits[0, 2, 7, 6] = 1  # alone
    logits[0, 1, 8, 8:10] = 1  # two side by side
    assert script("upsampling").dots(logits) == pytest.approx(1000 * 2 / 100)


def test_networks_of_three_kinds_of_upsampling_begin_alike_elsewhere(script):
    nets = {mode: script("upsampling").initial_net(1, 2, mode, seed=3) for mode in ("transpose", "bilinear", "nearest")}
    first = nets["transpose"].state_dict()
    for net in nets.values():
        same = {
            name: torch.equal(value, first[name]) for name, value in net.state_dict().items() if "upsample" not in name
        }
        assert all(same.values())


def test_accuracy_is_told_as_means_with_their_spread(script):
    accuracy = script("accuracy")
    row = {"set": "cells", "arm": "plan", "val": "0.5", "steps": "10", "seconds": "20", "parameters": "1000"}
    rows = [row | {"test_dice": "0.5", "test_iou": "0.25"}, row | {"test_dice": "0.7", "test_iou": "0.35"}]
    (line,) = accuracy.format_table(rows).splitlines()[2:]
    assert line.startswith("| cells | plan | 0.300 (0.250 … 0.350) | 0.600 (0.500 … 0.700) | 0.500 (0.500 … 0.500) |")
    assert line.endswith("| 10 | 20 | 1,000 | 2 |")


def test_nnunet_gets_the_split_and_a_label_for_what_is_ignored(script, tmp_path):
    training = script("nnunet_training")
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    pairs = [(SimpleNamespace(pixels=np.full((2, 2, 3), 9, np.uint8), name="a"), mask)]
    spec = SimpleNamespace(classes=("sky", "car", "tree"), num_classes=3, channels=3)
    training.export(SimpleNamespace(train=2 * pairs, val=pairs, spec=spec), tmp_path)
    folder = tmp_path / "raw/Dataset001_segapp"
    content = json.loads((folder / "dataset.json").read_text())
    assert content["labels"] == {"background": 0, "car": 1, "tree": 2, "ignore": 3}
    assert content["numTraining"] == 3 and list(content["channel_names"]) == ["0", "1", "2"]
    (split,) = json.loads((tmp_path / "splits.json").read_text())
    assert split == {"train": ["train_00000", "train_00001"], "val": ["val_00000"]}
    np.testing.assert_array_equal(read_raw(folder / "labelsTr/val_00000.png").squeeze(), [[0, 1], [2, 3]])
    assert read_raw(folder / "imagesTr/train_00001_0000.png").shape == (2, 2, 3)


def test_nnunets_rate_is_that_of_its_own_schedule(script):
    group = {"lr": 0.01}
    rate = script("nnunet_training").PolynomialRate(SimpleNamespace(param_groups=[group]), 0.01)
    rate.total_steps = 4
    rates = []
    for _ in range(4):
        rate.step()
        rates.append(group["lr"])
    assert rates == pytest.approx([0.01 * (1 - step / 4) ** 0.9 for step in (1, 2, 3, 4)])


@pytest.mark.parametrize(
    ("jobs", "shares"), [(1, [{0, 2, 5}]), (2, [{0}, {2, 5}]), (3, [{0}, {2}, {5}]), (4, [{0, 2, 5}, {0}, {2}, {5}])]
)
def test_runs_at_once_divide_the_cores(script, monkeypatch, jobs, shares):
    accuracy = script("accuracy")
    monkeypatch.setattr(accuracy.os, "sched_getaffinity", lambda process: {5, 0, 2})
    assert accuracy.divide_cores(jobs) == shares


def test_a_training_that_fails_is_told_and_the_others_go_on(script, tmp_path, monkeypatch, capsys):
    accuracy = script("accuracy")
    done = []

    def run_apart(shares, work, *arguments):
        done.append(work.__name__)
        if work.__name__ == "make_plan" and arguments[1] == "dunes":
            raise RuntimeError("nothing to learn in dunes")
        return dict.fromkeys(accuracy_rows.COLUMNS[3:], 1.0)

    accuracy_rows = script("accuracy_rows")
    monkeypatch.setattr(accuracy, "run_apart", run_apart)
    words = ["--data", "dunes=a.yaml", "--data", "cells=b.yaml", "--arms", "plan,former", "--seeds", "1"]
    with pytest.raises(SystemExit, match="1"):
        run(script, "accuracy", monkeypatch, *words, "--output", str(tmp_path / "out"))
    rows = accuracy_rows.read_rows(tmp_path / "out" / "accuracy.csv")
    assert sorted((row["set"], row["arm"]) for row in rows) == [
        ("cells", "former"), ("cells", "plan"), ("dunes", "former")
    ]  # fmt: skip
    assert "dunes: plan failed: nothing to learn" in capsys.readouterr().err
    assert sorted(done) == ["make_plan"] * 2 + ["run"] * 3


@pytest.mark.slow
def test_accuracy_trains_a_plan_and_the_plain_loop_and_continues(script, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data")
    split = {"class_path": "segapp.datasets.Fraction", "init_args": {"val": 0.25, "test": 0.25}}
    settings = {"root": str(tmp_path / "data"), "classes": ["ground", "disc"], "split": split}
    section = {"source": {"class_path": "segapp.datasets.Folder", "init_args": settings}}
    (tmp_path / "mini.yaml").write_text(yaml.safe_dump(section))
    words = ["--data", "mini=mini.yaml", "--minutes", "0.3", "--seeds", "1", "--output", "out"]
    words += ["--arms", "plan-scratch,smp,smp-package,nnunet"]
    monkeypatch.setattr(script("accuracy"), "find_spec", lambda name: None)
    for _ in range(2):
        run(script, "accuracy", monkeypatch, *words)
    told = capfd.readouterr().out
    assert told.count("mini: plan-scratch, seed 0") == told.count("mini: smp, seed 0") == 1
    assert told.count("smp-package left out") == told.count("nnunet left out, nnunetv2 is not installed") == 2
    assert told.count("| mini | plan-scratch | ") == 2
