"""A run's settings in plain types."""

from enum import StrEnum

from jsonargparse import ArgumentParser

from segapp.cli.plain_config import KEPT, collect_config


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
