"""`segapp fit --init_from`, with a frozen encoder and smaller rates."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from segapp.cli import main
from segapp.io import write_image

ROOT = Path(__file__).parents[2]
CELLS = [f"--data.source.init_args.{k}={v}" for k, v in (("size", 32), ("train", 2), ("val", 1), ("test", 1))]
SMALL = ["--model.net.init_args.encoder.init_args.widths", "[4, 8]", "--data.crop", "32", "--data.batch_size", "4"]
QUICK = ["--trainer.logger", "false", "--trainer.callbacks", "null", "--data.num_workers", "0"]
FIT = ["fit", "--config", str(ROOT / "configs" / "unet.yaml"), *CELLS, *SMALL, *QUICK, "--trainer.max_epochs", "1"]
STEPS = ["--model.lr_scheduler", "torch.optim.lr_scheduler.StepLR", "--model.lr_scheduler.init_args.step_size", "1"]
FREEZE = "[{class_path: segapp.callbacks.FreezeEncoder, init_args: {epochs: 1}}, {class_path: segapp.callbacks.EMA}]"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def first(place) -> str:
    """A checkpoint of background and cell."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert main([*FIT, "--name", "first"]) == 0
    return str(folder(place, "first") / "checkpoints" / "best.ckpt")


pytestmark = pytest.mark.usefixtures("without_curves")


@pytest.fixture(autouse=True)
def there(place, first, monkeypatch):
    monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
    monkeypatch.chdir(place)


def folder(place: Path, name: str) -> Path:
    return (place / "runs" / name / "latest").resolve()


def write_folder(place: Path) -> list[str]:
    """Write images of three classes; return the options that use them."""
    root = place / "three"
    generator = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    for number in range(6):
        write_image(root / "images" / f"{number}.png", generator.integers(0, 256, (32, 32, 3), np.uint8))
        write_image(root / "masks" / f"{number}.png", generator.integers(0, 3, (32, 32), np.uint8))
    settings = {"root": str(root), "images": "images", "masks": "masks", "classes": ["cell", "background", "dust"]}
    source = {"class_path": "segapp.datasets.Folder", "init_args": settings}
    return ["--data.source", yaml.safe_dump(source, default_flow_style=True, width=10**6).strip()]


def fit(*options: str) -> list[str]:
    without_cells = [word for word in FIT if word not in CELLS]
    return [*without_cells, *options]


@pytest.mark.slow
def test_other_classes_and_channels_start_from_a_checkpoint_and_a_bundle(place, first, capsys):
    data = write_folder(place)
    assert main(fit(*data, "--name", "three", "--init_from", first)) == 0
    out = capsys.readouterr().out
    assert f"starts from {first}" in out
    assert "cell, background; new: dust" in out
    assert "from 1 to 3 channels" in out
    run = folder(place, "three")
    assert yaml.safe_load((run / "config.yaml").read_text())["init_from"] == first
    assert main(["export", "--ckpt_path", first, "--format", "weights", "--output", "bundle"]) == 0
    assert main(fit(*data, "--name", "four", "--init_from", "bundle")) == 0
    one, other = (torch.load(folder(place, name) / "checkpoints" / "last.ckpt") for name in ("three", "four"))
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())
    Path(first).rename(place / "moved.ckpt")  # a run that goes on needs its own checkpoint only
    try:
        last = str(run / "checkpoints" / "last.ckpt")
        assert main(["fit", "--ckpt_path", last, "--trainer.max_epochs", "2"]) == 0
        assert main(["validate", "--ckpt_path", last]) == 0
    finally:
        (place / "moved.ckpt").rename(first)


@pytest.mark.slow
def test_a_frozen_encoder_stays_and_its_rates_are_undisturbed(place, first):
    smaller = ["--model.encoder_lr", "0.1", "--model.layer_decay", "0.5", "--trainer.callbacks", FREEZE, *STEPS]
    begin = [*FIT, *smaller, "--init_from", first]
    assert main([*begin, "--name", "whole", "--trainer.max_epochs", "2"]) == 0
    assert main([*begin, "--name", "parts", "--trainer.max_steps", "1", "--trainer.max_epochs", "2"]) == 0
    last = folder(place, "parts") / "checkpoints" / "last.ckpt"
    frozen, before = torch.load(last), torch.load(first)["state_dict"]
    for state in (frozen["state_dict"], frozen["current_model_state"]):
        encoder = {name: value for name, value in state.items() if name.startswith(("net.encoder.", "net.bottleneck."))}
        assert encoder and all(torch.equal(value, before[name]) for name, value in encoder.items())
        assert not torch.equal(state["net.head.conv.weight"], before["net.head.conv.weight"])
    assert main(["fit", "--ckpt_path", str(last), "--trainer.max_steps=-1"]) == 0
    whole, parts = torch.load(folder(place, "whole") / "checkpoints" / "last.ckpt"), torch.load(last)
    assert all(torch.equal(value, parts["state_dict"][name]) for name, value in whole["state_dict"].items())
    name = "net.encoder.0.0.0.conv.weight"
    assert not torch.equal(whole["current_model_state"][name], before[name])
    groups = [state["optimizer_states"][0]["param_groups"] for state in (whole, parts)]
    assert [(group["name"], group["initial_lr"]) for group in groups[0]] == [
        ("rest", pytest.approx(2e-3)),
        ("encoder.1", pytest.approx(2e-4)),
        ("encoder.0", pytest.approx(1e-4)),
    ]
    assert [group["lr"] for group in groups[0]] == [group["lr"] for group in groups[1]]


@pytest.mark.parametrize(
    ("options", "sentences"),
    [
        (["--init_from", "nowhere.ckpt"], ["there is no checkpoint nowhere.ckpt"]),
        (["--init_from", "pyproject.toml"], ["pyproject.toml"]),
        (["--init_from", "FIRST", "--model.net.init_args.encoder.init_args.widths", "[5, 8]"], ["of another network"]),
        (["--init_from", "FIRST", "--ckpt_path", "FIRST"], ["--init_from", "--ckpt_path"]),
        (["--model.encoder_lr", "0"], ["model.encoder_lr", "FreezeEncoder"]),
        (["--ckpt_path", "LAST", "--model.encoder_lr", "0.5", "--trainer.max_epochs", "9"], ["encoder_lr was 1.0"]),
        (["--ckpt_path", "FIRST", "--data.source", "three"], ["--init_from"]),
    ],
)
def test_what_cannot_start_is_refused_before_any_training(options, sentences, place, first, capsys):
    (place / "pyproject.toml").write_text("no checkpoint")
    words = {"FIRST": first, "LAST": first.replace("best", "last")}
    given = [words.get(word, word) for word in options]
    if given[-1] == "three":
        given = [*given[:-2], *write_folder(place), "--trainer.max_epochs", "9"]
    base = ["fit"] if "--ckpt_path" in given and "--init_from" not in given else FIT
    assert main([*base, *given, *(["--name", "refused"] if base is FIT and "--ckpt_path" not in given else [])]) == 2
    error = capsys.readouterr().err
    for sentence in sentences:
        assert sentence in error
    assert "Traceback" not in error
    assert not list(place.glob("runs/refused/*/checkpoints/*"))
