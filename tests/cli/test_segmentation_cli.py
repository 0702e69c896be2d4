"""Lightning's command line for segapp's module and data."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from segapp.cli import main
from segapp.cli.arguments import Arguments
from segapp.cli.segmentation_cli import SegmentationCLI
from tests.cli.tiny import TINY
from tests.lab.folds.sample import CONFIG, write_config, write_data


def print_config(capsys, *words: str) -> dict:
    assert main(["fit", "--config", str(TINY), *words, "--print_config"]) == 0
    return yaml.safe_load(capsys.readouterr().out)


@pytest.mark.parametrize("command", ["fit", "validate", "test"])
def test_a_parser_is_made_of_the_given_command_only(command, monkeypatch):
    made = []
    monkeypatch.setattr(SegmentationCLI, "_prepare_subcommand_parser", lambda self, _, name, **__: made.append(name))
    with pytest.raises(AttributeError):  # no parser was made
        SegmentationCLI(Arguments(command, []))
    assert made == [command]


def test_what_is_typed_is_in_the_printed_config(capsys):
    words = ["--model.optimizer", "SGD", "--model.optimizer.lr", "0.3", "--name", "12", "--data.crop", "[16, 16]"]
    config = print_config(capsys, *words)
    assert (config["name"], config["data"]["crop"]) == ("12", [16, 16])
    optimizer = config["model"]["optimizer"]
    assert optimizer["class_path"] == "torch.optim.SGD"
    assert (optimizer["init_args"]["lr"], optimizer["init_args"]["weight_decay"]) == (0.3, 0)


@pytest.mark.parametrize("seed", ["-1", str(2**32)])
def test_a_seed_that_is_none_is_refused(seed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--config", str(TINY), "--seed_everything", seed]) == 2
    assert "seed_everything" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_no_word_is_the_name_of_a_config(tmp_path, monkeypatch, capsys):
    """`auto` is the default of `trainer.strategy`, and a folder of someone's images may hold a file of that name."""
    monkeypatch.chdir(tmp_path)
    for name in ("auto", "simple", "cpu", "null", "SGD"):
        (tmp_path / name).write_text("class_path: evil.Strategy\ninit_args: {}\n")
    (tmp_path / "evil.py").write_text("from pathlib import Path; Path('ran').touch()")
    words = ["--trainer.accelerator", "cpu", "--trainer.logger", "null", "--trainer.profiler", "simple"]
    config = print_config(capsys, *words, "--model.optimizer", "SGD", "--model.optimizer.lr", "0.1")
    trainer = config["trainer"]
    assert (trainer["strategy"], trainer["accelerator"]) == ("auto", "cpu")
    assert (trainer["logger"], trainer["profiler"]) == (None, "simple")
    assert config["model"]["optimizer"]["class_path"] == "torch.optim.SGD"
    assert not (tmp_path / "ran").exists()


def test_a_whole_number_of_batches_is_not_a_fraction(capsys):
    """1 is one batch, 1.0 all of them."""
    typed = {"train": "1", "val": "1.0", "test": "0.5", "predict": "3"}
    words = [word for key, text in typed.items() for word in (f"--trainer.limit_{key}_batches", text)]
    trainer = print_config(capsys, *words)["trainer"]
    found = [trainer[f"limit_{key}_batches"] for key in typed]
    assert found == [1, 1.0, 0.5, 3] and [type(one) for one in found] == [int, float, float, int]


@pytest.mark.slow
def test_a_checkpoint_whose_settings_hold_records_is_scored_predicted_and_resumed(tmp_path, monkeypatch):
    """`segapp test` refused an intensity, as plans of volumes have it: "expected null"."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data")
    config = deepcopy(CONFIG)
    config["data"]["source"]["init_args"]["intensity"] = {"kind": "percentile", "low": 0.5, "high": 99.5}
    config["model"]["net"]["init_args"]["decoder_block"] = {"norm": "group"}
    assert main(["fit", "--config", str(write_config(tmp_path / "mine.yaml", config)), "--job", "run"]) == 0
    checkpoints = "runs/mine/run/checkpoints"
    for verb in ("validate", "test"):
        assert main([verb, "--ckpt_path", f"{checkpoints}/best.ckpt"]) == 0
    assert (
        main(["predict", "--ckpt_path", f"{checkpoints}/best.ckpt", "--images", "data/images", "--output", "out"]) == 0
    )
    assert main(["fit", "--ckpt_path", f"{checkpoints}/last.ckpt", "--trainer.max_epochs", "2"]) == 0
    saved = yaml.safe_load(Path("runs/mine/run/config.yaml").read_text())
    assert saved["data"]["source"]["init_args"]["intensity"]["kind"] == "percentile"
