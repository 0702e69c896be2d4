"""The options outside the sections of a config."""

from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser

from segapp.cli.early_checks import TOP_LEVEL
from segapp.cli.run_options import add_run_options


def parse(*words: str) -> Namespace:
    parser = LightningArgumentParser()
    add_run_options(parser)
    return parser.parse_args(list(words))


def test_a_run_needs_none_of_them():
    expected = {"name": "unet", "allow": None, "job": None, "new_split": False, "dry_run": False, "init_from": None}
    assert vars(parse()) == expected | {"calibrate": None, "fail_under": None, "tolerance": None, "cldice": False}


def test_the_early_look_knows_every_plain_option():
    assert set(vars(parse())) <= set(TOP_LEVEL)
