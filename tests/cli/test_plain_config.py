"""A run's settings in plain types."""

from enum import StrEnum

from jsonargparse import ArgumentParser

from segapp.cli.arguments import Arguments
from segapp.cli.plain_config import KEPT, collect_comments, collect_config


class Mode(StrEnum):
    """As Lightning's defaults are."""

    FAST = "fast"


def test_only_what_describes_the_run_is_kept_in_plain_types():
    parser = ArgumentParser()
    for name in (*KEPT, "job"):
        parser.add_argument(f"--{name}", default=None)
    settings = parser.parse_args([])
    settings.name, settings.trainer, settings.job = "unet", {"mode": Mode.FAST, "list": [Mode.FAST]}, "left out"
    config = collect_config(parser, settings)
    assert set(config) == set(KEPT)
    assert config["trainer"] == {"mode": "fast", "list": ["fast"]}
    assert type(config["trainer"]["mode"]) is str
    assert settings.trainer["mode"] is Mode.FAST


def test_comments_come_from_every_config_the_last_counts(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("name: a\ndata:\n  # one\n  crop: 1\n  # two\n  window: 2\n")
    second.write_text("name: a\ndata:\n  # three\n  crop: 3\n")
    arguments = Arguments("fit", ["--config", str(first), "--config", str(second), "--data.window", "4"])
    comments = collect_comments(arguments, {"data": {"crop": 3, "window": 4}})
    assert comments == {"data.crop": "three", "data.window": "Changed from 2. two"}
