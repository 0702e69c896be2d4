"""The settings of a run become one config for the parser."""

from pathlib import Path

import pytest
import yaml

from segapp.cli.arguments import Arguments
from segapp.cli.run_settings import gather_settings, list_given_roots
from segapp.errors import MisuseError
from tests.cli.tiny import TINY


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def gather(*words: str) -> tuple[dict, list[str]]:
    verb, option, text, *rest = gather_settings(Arguments("fit", ["--config", str(TINY), *words]), None).words
    assert (verb, option) == ("fit", "--config")
    return yaml.safe_load(text), rest


def test_the_parser_gets_one_config_and_single_values():
    settings, rest = gather("--data", "{crop: [16, 16]}", "--trainer.max_epochs", "1")
    expected = yaml.safe_load(TINY.read_text())
    expected["data"]["crop"] = [16, 16]
    assert settings == expected
    assert rest == ["--trainer.max_epochs", "1"]


def test_without_settings_there_is_no_config():
    assert gather_settings(Arguments("fit", ["--name", "x"]), None).words == ["fit", "--name", "x"]


def test_the_mappings_of_a_former_config_are_no_longer_held():
    """Masks of 0 and 255, then of 7: 255 means nothing any more."""
    for name, values in (("one.yaml", "{0: 0, 255: 1}"), ("two.yaml", "{0: 0, 7: 1}")):
        mask = f"{{class_path: segapp.datasets.Indices, init_args: {{values: {values}}}}}"
        Path(name).write_text(f"source: {{class_path: segapp.datasets.Folder, init_args: {{mask: {mask}}}}}")
    settings, _ = gather("--data", "one.yaml", "--data", "two.yaml")
    assert settings["data"]["source"]["init_args"]["mask"]["init_args"]["values"] == {0: 0, 7: 1}


def test_another_optimiser_has_its_own_defaults():
    settings, _ = gather("--model.optimizer", "torch.optim.SGD")
    assert settings["model"]["optimizer"]["init_args"]["weight_decay"] == 0


def test_a_checkpoint_is_named_on_the_command_line_only():
    with pytest.raises(MisuseError, match="--ckpt_path"):
        gather("--config", "ckpt_path: a.ckpt")


def test_the_text_of_the_settings_is_the_name_of_no_file(tmp_path):
    """The parser looks first for a file of that name, which nobody has checked."""
    words = gather_settings(Arguments("fit", ["--config", str(TINY)]), None).words
    with pytest.raises(OSError, match="too long"):
        (tmp_path / words[2]).stat()


def test_only_roots_of_the_data_are_given_as_such():
    """Another option with the same value names no folder of images."""
    Path("a.yaml").write_text("data: {source: {init_args: {root: in_config}}}")
    Path("b.yaml").write_text("source: {class_path: segapp.datasets.Cells, init_args: {root: in_section}}")
    joined = "{init_args: {sources: [{class_path: a.B, init_args: {root: one}}, {class_path: a.B}]}}"
    cases = {
        ("--config", "a.yaml", "--name", "other"): {"in_config"},
        ("--data", "b.yaml", "--trainer.default_root_dir=out"): {"in_section"},
        ("--data.source={init_args: {root: inline}}", "--trainer.enable_progress_bar", "false"): {"inline"},
        ("--data.source.root", "short"): {"short"},
        ("--data.source.init_args.root", "typed"): {"typed"},
        (f"--data.source={joined}",): {"one"},
        ("--trainer.enable_progress_bar", "false"): set(),
    }
    assert {words: list_given_roots(Arguments("fit", words)) for words in cases} == cases
