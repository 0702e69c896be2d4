"""The words of a command line become options once."""

from pathlib import Path

import pytest

from segapp.cli.arguments import Arguments, name_option
from segapp.errors import MisuseError


def split(*words: str) -> list[tuple[str, str | None]]:
    return [(option.name, option.value) for option in Arguments("fit", words).options]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--name", "x"], [("--name", "x")]),
        (["--name=x=y"], [("--name", "x=y")]),
        (["--seed_everything", "-3"], [("--seed_everything", "-3")]),
        (["-c", "a.yaml"], [("--config", "a.yaml")]),
        (["--print_config", "--name", "x"], [("--print_config", None), ("--name", "x")]),
        (["--dry_run"], [("--dry_run", "true")]),
        (["--dry_run", "--name", "x"], [("--dry_run", "true"), ("--name", "x")]),
        (["--dry_run", "false"], [("--dry_run", "false")]),
        (["a.yaml", "--name", "x", "y"], [("", None), ("--name", "x"), ("", None)]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value[0], str) else "",
)
def test_words_are_split_into_options(words, expected):
    assert split(*words) == expected


def test_the_last_value_of_an_option_counts():
    arguments = Arguments("fit", ["--name", "x", "--name=y"])
    assert arguments.get_all("--name") == ["x", "y"]
    assert arguments.get("--name") == "y"
    assert arguments.get("--job") is None


def test_a_list_is_appended_to_under_the_name_of_the_list():
    (option,) = Arguments("fit", ["--trainer.callbacks+", "x.Y"]).options
    assert option.appends and option.keys == ["trainer", "callbacks"]


def test_configs_are_read_where_a_config_is_expected(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("name: a")
    words = ["--config", "a.yaml", "--name", "a.yaml", "--data.source", "a.yaml", "--config", "name: text"]
    assert Arguments("fit", words).configs == {"a.yaml": {"name": "a"}}
    assert Arguments("fit", ["--name", "a.yaml"]).configs == {}


@pytest.mark.parametrize("text", ["[1, 2]", "word", "data:\nname: x"])
def test_a_file_that_is_no_config_is_refused(text, tmp_path):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(MisuseError, match=r"a\.yaml"):
        _ = Arguments("fit", ["--config", str(tmp_path / "a.yaml")]).configs


def test_the_user_vouches_for_classes_and_for_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("model: {net: {class_path: from_config.Net}}")
    words = ["--config", "a.yaml", "--allow", "allowed", "--ckpt_path", "model.ckpt", "--name", "some.Name"]
    words += ["--model.loss", "typed.Loss", "--data.source={class_path: inline.Source}"]
    named = Arguments("fit", words).named_classes
    assert named == ("allowed", "from_config.Net", "typed.Loss", "inline.Source")


@pytest.mark.parametrize("word", ["cpu", "auto", "null", "SGD"])
def test_a_word_is_no_config_even_if_there_is_a_file_of_that_name(word, tmp_path, monkeypatch):
    """The classes in such a file would be allowed as the user's own."""
    monkeypatch.chdir(tmp_path)
    for name in (word, f"{word}.yaml"):
        (tmp_path / name).write_text("class_path: evil.Accelerator\n")
    found = Arguments("test", ["--trainer.accelerator", word])
    assert found.configs == {} and found.named_classes == ()
    assert Arguments("test", ["--trainer.accelerator", f"{word}.yaml"]).named_classes == ("evil.Accelerator",)


def test_an_option_may_be_called_as_a_word_of_python():
    assert (name_option("as_"), name_option("ckpt_path")) == ("--as", "--ckpt_path")
