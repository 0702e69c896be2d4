"""Every YAML opens with the command that runs it, and that command runs."""

import csv
import shlex
from pathlib import Path

import pytest
import yaml

from segapp.cli import main
from segapp.lab.study.config import read_study
from segapp.lab.study.jobs import make_jobs
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


def data_of(study: Path) -> str | None:
    """The fragment of data that a study, or the one it is like, names."""
    config = yaml.safe_load((CONFIGS.parent / study).read_text())
    return config.get("data") or (data_of(study.parent / config["like"]) if "like" in config else None)


STUDIES = [path for path in FILES if command(path)[0] == "study"]
RUNS = [path for path in FILES if command(path)[0] == "fit"]


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    (tmp_path / "configs").symlink_to(CONFIGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_opens_with_a_command_that_uses_it(path):
    assert str(path) in command(path)


@pytest.mark.slow
@pytest.mark.parametrize("path", RUNS, ids=str)
def test_the_command_of_a_file_runs(path, workplace):
    small = ["--data.batch_size", "2", *ONE_STEP]
    if path.parent.name == "data":
        assert path.stem in DRAW, "write a look-alike for it"
        write(path.stem, workplace / "data")
        section = yaml.safe_load((CONFIGS.parent / path).read_text())
        size = "--data.resize" if section.get("resize") else "--data.crop"
        small += [size, "[32, 32]"]
    else:
        small += ["--data.crop", "32", *CELLS]
    assert main([*command(path), *small]) == 0
    assert list(workplace.glob("runs/*/*/checkpoints/best.ckpt"))


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in STUDIES if path.stem.endswith("_smoke")], ids=str)
def test_a_smoke_study_runs(path, workplace):
    assert main([*command(path), "--workers", "2"]) == 0  # here: one server forks the variants of all these studies
    study = read_study(path)
    with (workplace / "runs" / study.name / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows] == [variant.name for variant in study.variants]
    assert {row["status"] for row in rows} == {"finished"}
    assert (workplace / "runs" / study.name / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in STUDIES if not path.stem.endswith("_smoke")], ids=str)
def test_the_variants_of_a_study_are_configs_of_fit(path, workplace, capsys):
    study = read_study(path)
    assert study.budget
    section = data_of(path)
    if section:
        write(Path(section).stem, workplace / "data")
    else:  # a few pictures of the same set are enough to know its classes
        few = {"root": "data/cells", "size": 64, "train": 1, "val": 1, "test": 2}
        for variant in study.variants:
            variant.config["data"]["source"].setdefault("init_args", {}).update(few)
    jobs = make_jobs(study, workplace / "runs" / study.name)
    assert len(jobs) == len(study.variants) * len(study.seeds)
    is_like_another = "like" in yaml.safe_load((CONFIGS.parent / path).read_text())  # the variants are the other's
    for job in jobs[: 1 if is_like_another else len(study.variants)]:
        assert main(["fit", "--config", str(job.folder / "config.yaml"), "--print_config"]) == 0
    if study.matching:
        sizes = [job.facts["parameters"] for job in jobs]
        assert max(sizes) <= 1.02 * min(sizes)
