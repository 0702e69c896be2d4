"""Mistakes that are found before anything heavy is imported."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from segapp.cli import COMMANDS, main
from segapp.cli.arguments import Arguments
from segapp.cli.early_checks import check_function, check_verb
from segapp.errors import MisuseError

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / "configs" / "unet.yaml")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def changed(old: str, new: str) -> list[str]:
    Path("wrong.yaml").write_text(Path(CONFIG).read_text().replace(old, new))
    return ["--config", "wrong.yaml"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("batch_size", "batchsize", r"wrong.yaml: data: .*'batchsize' \(did you mean 'batch_size'"),
        ("models.UNet", "models.UNett", r"wrong.yaml: .*'UNett' .*'UNet'"),
        ("segapp.models.UNet", "segapp.modls.UNet", r"wrong.yaml: .*'segapp.modls' .*'segapp.models'"),
        ("widths", "width", r"wrong.yaml: segapp.models.PlainEncoder: .*'width' .*'widths'"),
        ("trainer:", "trainr:", r"wrong.yaml: .*'trainr' .*'trainer'"),
        ("max_epochs", "epochs", r"wrong.yaml: trainer: .*'epochs' .*'max_epochs'"),
        ("name: unet", "name: [", r"wrong.yaml.*: .*YAML"),
    ],
)
def test_a_mistake_in_a_config_names_its_file(old, new, said):
    with pytest.raises(MisuseError, match=said):
        check_verb(Arguments("fit", changed(old, new)))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--config configs/unet.yaml"),
        (["--config", "nope.yaml"], "there is no file nope.yaml"),
        (["--config", CONFIG, "--data", "nope.yaml"], "data: there is no file nope.yaml"),
        (["--config", CONFIG, "--trainer.epochs", "3"], "--trainer.epochs .*'--trainer.max_epochs'"),
        (["--config", CONFIG, "--epochs=3"], "--epochs=3 .*'--trainer.max_epochs'"),
        (["--config", CONFIG, "--lr", "3"], "'--model.optimizer.init_args.lr'"),
        (["--config", CONFIG, "--batch-size", "3"], "'--data.batch_size'"),
        (["--config", CONFIG, "--gpus", "2"], "'--trainer.devices'"),
        (["--config", CONFIG, "--model.net", "segapp.models.UNett"], "model.net: .*'UNet'"),
        (["--config", CONFIG, "--data", str(ROOT / "configs/data/mine.yaml")], "data/mine: there is no such folder"),
        (["--ckpt_path", "nope.ckpt"], "there is no checkpoint nope.ckpt"),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) else "",
)
def test_a_mistake_on_the_command_line_is_reported_with_what_was_meant(words, said):
    with pytest.raises(MisuseError, match=said):
        check_verb(Arguments("fit", words))


@pytest.mark.parametrize("path", sorted(ROOT.glob("configs/model/*.yaml")) + sorted(ROOT.glob("configs/data/*.yaml")))
def test_what_is_right_passes(path):
    fragment = yaml.safe_load(path.read_text())
    Path(fragment.get("source", {}).get("init_args", {}).get("root", "x")).mkdir(parents=True)
    check_verb(
        Arguments("fit", ["--config", CONFIG, f"--{path.parent.name}", str(path), "--trainer.callbacks+", "x.Y"])
    )


def test_the_root_that_counts_is_the_last(tmp_path):
    words = ["--config", CONFIG, "--data", str(ROOT / "configs/data/mine.yaml")]
    check_verb(Arguments("fit", [*words, "--data.source.init_args.root", str(tmp_path)]))
    check_verb(Arguments("fit", [*words, "--data.source", "segapp.datasets.Cells"]))


def test_scoring_without_a_checkpoint_is_reported():
    for verb in ("validate", "test"):
        with pytest.raises(MisuseError, match=f"segapp {verb} scores a checkpoint"):
            check_verb(Arguments(verb, []))


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("predict", ["--image", "x"], "'--images'"),
        ("predict", ["--out", "x"], "'--output'"),
        ("predict", ["--ckpt_path", "nope.ckpt"], "there is no checkpoint nope.ckpt"),
        ("study", ["--config", "nope.yaml"], "there is no file nope.yaml"),
    ],
)
def test_the_other_commands_are_looked_at_too(command, words, said):
    with pytest.raises(MisuseError, match=said):
        check_function(COMMANDS[command][0], Arguments(command, words))


def test_no_mistake_needs_torch_to_be_reported():
    code = "import sys; from segapp.cli import main; print([main(words) for words in {!r}], 'torch' in sys.modules)"
    missing = ["--ckpt_path", "nope.ckpt"]
    mistakes = [
        ["fit", "--config", CONFIG, "--epochs", "3"],
        ["fit"],
        ["test"],
        ["test", *missing],
        ["predict", *missing],
    ]
    words = [sys.executable, "-c", code.format(mistakes)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert printed == "[2, 2, 2, 2, 2] False\n"


def test_a_mistake_is_exit_code_2(capsys):
    assert main(["fit", "--config", CONFIG, "--epochs", "3"]) == 2
    assert "max_epochs" in capsys.readouterr().err
