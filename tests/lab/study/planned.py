"""A small study and its jobs."""

from pathlib import Path

import yaml

from segapp.lab.study.config import read_study
from segapp.lab.study.jobs import make_jobs

ENCODER = "model.net.init_args.encoder.init_args"


STUDY = {
    "base": str(Path(__file__).parents[3] / "configs" / "unet.yaml"),
    "set": {
        "data.source.init_args": {"root": "cells", "size": 32, "train": 2, "val": 1, "test": 4},
        "data.crop": [32, 16],
        f"{ENCODER}.widths": [8, 16],
    },
    "grid": {"model.net.init_args.long_skip": ["concat", "none"]},
    "seeds": [0, 1],
}


def plan(**changes):
    Path("study.yaml").write_text(yaml.safe_dump(STUDY | changes))
    return make_jobs(read_study(Path("study.yaml")), Path("runs/study"))
