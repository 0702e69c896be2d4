"""The GPU kit: results that survive failures, time bounds, tables and packed data; slow: the parts themselves."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from segapp.schedules import WarmupCosine

ROOT = Path(__file__).parents[1]
KIT = ROOT / "benchmarks" / "gpu"
FILES = {path.stem for path in [*KIT.glob("*.py"), *KIT.parent.glob("*.py")]}


@pytest.fixture
def part(monkeypatch):
    """Imports a file of benchmarks/gpu as its own command does, and forgets it afterwards."""
    monkeypatch.syspath_prepend(KIT.parent)
    monkeypatch.syspath_prepend(KIT)
    before = set(sys.modules)
    yield lambda name: __import__(name)
    for name in (set(sys.modules) - before) & FILES:
        del sys.modules[name]


def opened(part, folder, seconds=60.0):
    folder.mkdir(exist_ok=True)
    return part("kit").Results("trial", argparse.Namespace(output=folder, until=time.time() + seconds, tiny=True))


def test_a_failure_is_kept_as_text_and_what_succeeded_is_not_repeated(part, tmp_path):
    results, calls = opened(part, tmp_path / "out"), []
    results.measure("good", lambda: calls.append(1) or {"value": 3})
    results.measure("bad", lambda: 1 / 0)
    again = opened(part, tmp_path / "out")
    assert again.measure("good", lambda: calls.append(1))["value"] == 3
    assert again.measure("bad", lambda: {"value": 4})["value"] == 4
    assert len(calls) == 1
    kept = json.loads(results.path.read_text())["measurements"]
    assert kept["good"]["value"] == 3 and kept["bad"]["value"] == 4


def test_a_measurement_is_ended_at_the_deadline_and_later_ones_are_not_begun(part, tmp_path):
    results = opened(part, tmp_path / "out", seconds=0.3)
    started = time.monotonic()
    results.measure("slow", lambda: time.sleep(20), needs=0.1)
    results.measure("late", lambda: {"value": 1}, needs=0.1)
    assert time.monotonic() - started < 5
    kept = json.loads(results.path.read_text())["measurements"]
    assert "OutOfTimeError" in kept["slow"]["error"] and "skipped" in kept["late"]


def test_steps_are_timed_after_warming_up(part):
    calls = []
    seconds = part("kit").time_steps(lambda: (calls.append(1), time.sleep(0.01)), 0, warm=2)
    assert len(calls) == 4 and 0.01 <= seconds < 1


def test_utilisation_is_flops_over_the_measured_peak(part):
    measured = {
        "peak": {"tflops": 100.0},
        "bare/small/256": {"batch": 8, "ms": 10.0, "images_per_second": 800.0, "peak_gb": 1.0, "gflops": 500.0},
        "segapp/small/256": {"batch": 8, "ms": 12.5, "images_per_second": 640.0, "peak_gb": 1.1},
        "compiled/small/256": {"error": "RuntimeError: no compiler"},
    }
    text = part("tables").write_throughput(measured)
    assert "| small | 256 | 8 | bare | 800.0 | 10.0 | 1.000 | 50.0 | 50.0% | 1.0 |" in text
    assert "| small | 256 | 8 | segapp | 640.0 | 12.5 | 0.800 | 40.0 | 40.0% | 1.1 |" in text
    assert "| small | 256 |  | compiled | not measured |" in text
    assert part("tables").write_failures(measured) == "* compiled/small/256: RuntimeError: no compiler"


def test_parts_that_were_not_run_are_not_measured(part, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tables.py", str(tmp_path)])
    part("tables").main()
    assert capsys.readouterr().out.count("not measured") == 4
    assert (tmp_path / "tables.md").is_file()


def test_packing_keeps_masks_and_renames_images_in_lists(part, tmp_path):
    random = np.random.default_rng(0)
    root = tmp_path / "set"
    (root / "masks").mkdir(parents=True)
    mask = random.integers(0, 12, (40, 50), np.uint8)
    PIL.Image.fromarray(mask).save(root / "masks" / "a.png")
    pixels = np.linspace(0, 255, 40 * 50 * 3).reshape(40, 50, 3).astype(np.uint8)
    PIL.Image.fromarray(pixels).save(root / "a.png")
    (root / "list.txt").write_text("/other/a.png masks/a.png\n")
    quality, size = part("pack").pack(root, tmp_path / "packed", 1e6)
    assert quality == 95 and size == sum(path.stat().st_size for path in (tmp_path / "packed").rglob("*.*"))
    assert (np.array(PIL.Image.open(tmp_path / "packed" / "masks" / "a.png")) == mask).all()
    near = np.array(PIL.Image.open(tmp_path / "packed" / "a.jpg")).astype(int)
    assert near.shape == pixels.shape and np.abs(near - pixels).mean() < 4
    assert (tmp_path / "packed" / "list.txt").read_text() == "/other/a.jpg masks/a.png\n"
    with pytest.raises(ValueError, match=r"at quality 50, more than 0\.0 MB"):
        part("pack").pack(root, tmp_path / "small", 100)
    assert not (tmp_path / "small").exists()


def test_unknown_parts_and_options_are_usage_errors():
    for words in (["--parts", "speed"], ["--quick"]):
        done = subprocess.run([str(KIT / "run.sh"), *words], capture_output=True, text=True)
        assert done.returncode == 2 and "run.sh: " in done.stderr


class Clockwork:
    """Stands for the time: every look at it takes half a second."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 0.5
        return self.now


def test_a_budget_ends_at_its_second_with_the_rate_at_zero_and_does_not_count_validations(part, monkeypatch):
    loop, clock, seen = part("plain_loop"), Clockwork(), []
    monkeypatch.setattr(loop.time, "perf_counter", clock)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = WarmupCosine(optimizer)

    def validate(net, steps, trained):
        clock.now += 100
        seen.append((net, steps))

    budget = loop.Budget(20, [0.5, 1.0], validate)
    rates = []
    for _ in range(100):
        optimizer.step()
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
        budget.count(schedule)
        if budget.look(lambda: "the network"):
            break
    assert 20 <= budget.trained < 21.5 and budget.steps == len(rates) == seen[1][1]
    assert [net for net, _ in seen] == ["the network"] * 2 and seen[0][1] < seen[1][1]
    assert max(rates) > 0.9 and rates[-1] < 0.02


def test_an_encoder_is_filled_in_order_and_only_where_shapes_agree(part, tmp_path):
    loop, path = part("plain_loop"), tmp_path / "weights.pt"
    torch.save({"stem.w": torch.full((3, 2), 7.0), "stem.b": torch.ones(3), "fc": torch.zeros(9)}, path)
    encoder = torch.nn.Linear(2, 3)
    loop.fill_encoder(encoder, path)
    assert (encoder.weight == 7).all() and (encoder.bias == 1).all()
    with pytest.raises(ValueError, match=r"weight is \(4, 2\), the file's tensor \(3, 2\)"):
        loop.fill_encoder(torch.nn.Linear(2, 4), path)
    with pytest.raises(ValueError, match="3 tensors, the encoder has 7"):
        loop.fill_encoder(torch.nn.Sequential(encoder, torch.nn.BatchNorm1d(9)), path)


def test_crops_of_the_plain_loop_keep_image_and_mask_together_and_pad_with_void(part):
    mask = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30) % 200
    frames = part("plain_loop").Frames([np.stack([mask] * 3, axis=2)], [mask], 24)
    image, cropped = frames[0]
    assert image.shape == (3, 24, 24) and image.dtype == torch.uint8 and cropped.dtype == torch.int64
    inside = cropped != 255
    assert (image[0][inside] == cropped[inside]).all() and (~inside).sum() == 4 * 24


def test_the_part_accuracy_needs_data(tmp_path):
    words = ["--parts", "accuracy", "--output", str(tmp_path), "--python", sys.executable]
    done = subprocess.run([str(KIT / "run.sh"), *words], capture_output=True, text=True)
    assert done.returncode == 1 and "give --data NAME=FILE" in done.stderr


def run_smallest(name, folder):
    words = ["--tiny", "--parts", name, "--minutes", "8", "--output", str(folder)]
    environment = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run([str(KIT / "run.sh"), *words], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["predict", "correct", "throughput"])
def test_every_part_runs_in_its_smallest_form(name, tmp_path):
    told = run_smallest(name, tmp_path)
    kept = json.loads((tmp_path / f"{name}.json").read_text())["measurements"]
    assert {key: values for key, values in kept.items() if "error" in values or "skipped" in values} == {}
    assert [key for key, values in kept.items() if values.get("passed") is False] == []
    assert f"## {name.capitalize()}" in told


@pytest.mark.slow
def test_the_arms_run_at_once_and_are_in_the_tables(tmp_path):
    told = run_smallest("accuracy", tmp_path)
    assert "| cells | plan-scratch | " in told and "| cells | smp | " in told
    (table,) = (tmp_path / "accuracy").glob("*.csv")
    assert len(table.read_text().splitlines()) == 3
