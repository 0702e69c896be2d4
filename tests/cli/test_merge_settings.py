"""Configs, files of sections and classes are merged before anything parses them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from segapp.cli.arguments import Arguments
from segapp.cli.merge_settings import merge_settings
from segapp.errors import MisuseError

BASE = {
    "name": "base",
    "data": {"source": {"class_path": "a.Cells", "init_args": {"root": "cells", "size": 96}}, "crop": [32, 32]},
    "model": {"optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.1}}},
    "trainer": {"callbacks": [{"class_path": "a.First"}]},
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("base.yaml", BASE)


def write(name: str, content: Any) -> str:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return name


def merge(*words: str, below: dict[str, Any] | None = None) -> tuple[dict[str, Any], list[str]]:
    settings, options = merge_settings(Arguments("fit", ["--config", "base.yaml", *words]), below)
    return settings, [word for option in options for word in option.words]


def source(*words: str) -> dict[str, Any]:
    return merge(*words)[0]["data"]["source"]


OTHER = {"class_path": "a.Folder"}


@pytest.mark.parametrize(
    ("name", "content", "option"),
    [
        ("other.yaml", {"data": {"source": OTHER}}, "--config"),
        ("fragment.yaml", {"source": OTHER}, "--data"),
        ("source.yaml", OTHER, "--data.source"),
        (None, "a.Folder", "--data.source"),
        (None, "a.Folder", "--data.source.class_path"),
        (None, "{class_path: a.Folder}", "--data.source"),
        (None, "{source: {class_path: a.Folder}}", "--data"),
        (None, "{source: a.Folder}", "--data"),
        (None, "data: {source: {class_path: a.Folder}}", "--config"),
        (None, "data.source.class_path: a.Folder", "--config"),
    ],
)
def test_whatever_changes_the_class_drops_every_former_argument(name, content, option):
    value = write(name, content) if name else content
    assert source(option, value) == OTHER
    assert source(f"{option}={value}") == OTHER


def test_the_same_class_keeps_what_was_set():
    write("same.yaml", {"source": {"class_path": "a.Cells", "init_args": {"size": 40}}})
    assert source("--data", "same.yaml")["init_args"] == {"root": "cells", "size": 40}
    assert merge("--model.optimizer", "AdamW")[0] == merge()[0]


def test_what_is_typed_beats_the_configs_and_these_the_checkpoint():
    below = {"name": "old", "data": {"crop": [8, 8], "window": 64}, "model": {"optimizer": {"class_path": "a.Old"}}}
    settings, _ = merge("--data", "{crop: [16, 16]}", below=below)
    assert settings["name"] == "base"
    assert settings["data"]["crop"] == [16, 16] and settings["data"]["window"] == 64
    assert settings["model"] == BASE["model"]
    assert below["data"]["crop"] == [8, 8]


def test_single_values_are_left_to_the_parser_in_their_order():
    words = ["--name", "12", "--data.source.init_args.root", "a.b", "--data.crop=[8, 8]", "--trainer.callbacks+", "x.Y"]
    settings, rest = merge(*words)
    assert settings == BASE
    assert rest == words


def test_a_part_can_be_taken_away_or_replaced_by_a_word():
    assert merge("--model.optimizer", "null")[0]["model"]["optimizer"] is None
    assert merge("--model.optimizer", "SGD")[0]["model"]["optimizer"] == "SGD"


def test_a_config_appends_to_the_lists_of_a_section():
    write("more.yaml", {"trainer": {"callbacks+": [{"class_path": "a.Second"}]}})
    write("one.yaml", {"trainer": {"callbacks+": {"class_path": "a.Third"}}})
    callbacks = merge("--config", "more.yaml", "--config", "one.yaml")[0]["trainer"]["callbacks"]
    assert [one["class_path"] for one in callbacks] == ["a.First", "a.Second", "a.Third"]


def test_files_named_in_a_config_lie_beside_it():
    write("configs/whole.yaml", "data: parts/data.yaml\n")
    Path("configs/parts").mkdir()
    write("configs/parts/data.yaml", "source: source.yaml\ncrop: [4, 4]\n")
    write("configs/parts/source.yaml", "class_path: a.Folder\n")
    assert merge("--config", "configs/whole.yaml")[0]["data"] == {"source": OTHER, "crop": [4, 4]}


def test_files_that_name_themselves_are_refused():
    write("turn.yaml", "data: turn.yaml\n")
    with pytest.raises(MisuseError, match=r"turn\.yaml"):
        merge("--config", "turn.yaml")


def test_values_keep_their_kinds():
    write("kinds.yaml", 'data: {a: 1e-3, b: "1e-3", c: 2026-01-31, d: {0: 1}}\n')
    data = merge("--config", "kinds.yaml")[0]["data"]
    assert (data["a"], data["b"], data["c"], data["d"]) == (0.001, "1e-3", "2026-01-31", {0: 1})


def test_what_is_typed_last_counts():
    write("fragment.yaml", {"source": {"class_path": "a.Cells", "init_args": {"size": 40}}})
    settings, rest = merge("--data.source.init_args.size", "8", "--data.crop", "16", "--data", "fragment.yaml")
    assert settings["data"]["source"]["init_args"]["size"] == 40
    assert rest == ["--data.crop", "16"]


def test_options_of_a_former_class_are_dropped_with_it():
    before, after = ["--data.source.init_args.size", "8"], ["--data.source.init_args.root", "x"]
    assert merge(*before, "--data.source", "a.Folder", *after)[1] == after
    assert merge(*before, "--data.source", "a.Cells", *after)[1] == [*before, *after]


def test_a_file_that_is_missing_is_no_class():
    with pytest.raises(MisuseError, match=r"data\.source: there is no file nope\.yaml"):
        merge("--data.source", "nope.yaml")
