"""A study's YAML and its base in the current folder, for the tests of what they mean."""

from pathlib import Path

import yaml

from segapp.lab.study.config import Study, read_study

BASE = {
    "name": "base",
    "data": {"source": {"class_path": "segapp.datasets.Cells", "init_args": {"root": "here"}}, "crop": [32, 32]},
    "model": {"net": {"class_path": "segapp.models.UNet", "init_args": {"long_skip": "concat"}}},
    "trainer": {"max_epochs": 3},
}


SKIP, SHORT = "model.net.init_args.long_skip", "model.net.init_args.short_skip"


STUDY = {
    "base": "base.yaml",
    "set": {"trainer.max_epochs": 1},
    "grid": {SKIP: ["none", "add"], "short": {"plain": {SHORT: "none"}, "residual": {SHORT: "add", "data.crop": 16}}},
    "seeds": [3, 4],
}


def write_base() -> None:
    Path("base.yaml").write_text(yaml.safe_dump(BASE))


def read(**changes: object) -> Study:
    Path("study.yaml").write_text(yaml.safe_dump(STUDY | changes))
    return read_study(Path("study.yaml"))
