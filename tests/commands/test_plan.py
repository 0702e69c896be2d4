"""`segapp plan`, run as users run it."""

import numpy as np
import pytest
import yaml

from segapp.cli import main
from segapp.commands.plan import read_budget
from segapp.errors import MisuseError
from segapp.io import read_raw, write_image
from segapp.planning.sizes import PIXELS_PER_STEP
from tests.planning.discs import plan, write_discs


@pytest.fixture
def discs(tmp_path):
    return write_discs(tmp_path)


@pytest.mark.slow
def test_the_two_commands_train(discs, monkeypatch):
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    monkeypatch.chdir(discs)
    assert plan(discs) == 0
    config = yaml.safe_load((discs / "mine.yaml").read_text())
    assert config["data"]["source"]["init_args"]["classes"] == ["background", "object"]
    assert config["data"]["crop"] == [96, 96]
    assert config["trainer"]["max_steps"] > 100
    limits = ["--trainer.max_steps", "1", "--trainer.limit_val_batches", "1"]
    assert main(["fit", "--config", "mine.yaml", *limits]) == 0
    assert list(discs.glob("runs/mine/*/checkpoints/last.ckpt"))


def test_the_terminal_says_how_to_get_a_better_network(discs, monkeypatch, capsys):
    """Without ImageNet's weights, photographs are trained from random ones, which a comment in a YAML may hide."""
    for path in (discs / "photos").iterdir():
        grey = read_raw(path)
        write_image(path, np.stack([grey, grey // 2, 255 - grey], axis=-1))
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    monkeypatch.setattr("segapp.planning.network.find_package", _raise_missing)
    assert plan(discs) == 0
    *_, advice, following = capsys.readouterr().out.splitlines()
    assert "segapp[pretrained]" in advice
    assert following == f"next: segapp fit --config {discs / 'mine.yaml'}"


def _raise_missing():
    raise MisuseError("not installed")


def test_a_plan_that_exists_is_kept(discs, capsys):
    (discs / "mine.yaml").write_text("mine")
    assert plan(discs) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (discs / "mine.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "told"),
    [(["--budget", "soon"], "--budget"), (["--budget", "1s"], "--budget"), (["--masks", ""], "--masks")],
)
def test_what_cannot_be_planned_is_reported_before_any_training(discs, monkeypatch, capsys, options, told):
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    assert plan(discs, *options) == 2
    assert told in capsys.readouterr().err
    assert not (discs / "mine.yaml").exists()


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5h", 5400), (" 30 m ", 1800)])
def test_a_budget_is_read_with_its_unit(text, seconds):
    assert read_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "0m", "30", "-5m", "1h30m", "inf s"])
def test_a_budget_that_is_no_time_is_refused(text):
    with pytest.raises(MisuseError, match="--budget"):
        read_budget(text)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--images", "a"], "--masks"),
        (["--data", "a.yaml", "--masks", "b"], "--data"),
        (["--data", "a.yaml", "--classes", "a,b"], "--classes"),
        (["--data", "a.yaml", "--output", "a.txt"], "--output"),
    ],
)
def test_options_that_exclude_each_other_are_reported(tmp_path, monkeypatch, capsys, options, told):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", *options]) == 2
    assert told in capsys.readouterr().err and not list(tmp_path.iterdir())
