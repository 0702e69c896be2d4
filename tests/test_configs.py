"""Every YAML opens with the command that runs it, and that command runs."""

import shlex
from pathlib import Path

import pytest
import yaml

from segapp.cli import main
from tests.datasets.look_alikes import DRAW, write

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = sorted(path.relative_to(CONFIGS.parent) for path in CONFIGS.rglob("*.yaml"))
FITS = [path for path in FILES if path.parent.name != "studies"]  # studies have tests, and budgets, of their own
ONE_STEP = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"]
CELLS = [f"--data.source.init_args.{name}={value}" for name, value in (("size", 64), ("train", 2), ("val", 1))]


def command(path: Path) -> list[str]:
    """The words of a file's first line, without `# segapp`."""
    first = (CONFIGS.parent / path).read_text().splitlines()[0]
    hash_mark, program, *words = shlex.split(first)
    assert (hash_mark, program) == ("#", "segapp"), path
    return words


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_opens_with_a_command_that_uses_it(path):
    assert str(path) in command(path)


@pytest.mark.slow
@pytest.mark.parametrize("path", FITS, ids=str)
def test_the_command_of_a_file_runs(path, tmp_path, monkeypatch):
    (tmp_path / "configs").symlink_to(CONFIGS)
    monkeypatch.chdir(tmp_path)
    small = ["--data.batch_size", "2", *ONE_STEP]
    if path.parent.name == "data":
        assert path.stem in DRAW, "write a look-alike for it"
        write(path.stem, tmp_path / "data")
        section = yaml.safe_load((CONFIGS.parent / path).read_text())
        size = "--data.resize" if section.get("resize") else "--data.crop"
        small += [size, "[32, 32]"]
    else:
        small += ["--data.crop", "32", *CELLS]
    assert main([*command(path), *small]) == 0
    assert list(tmp_path.glob("runs/*/*/checkpoints/best.ckpt"))
