"""Suggestions for words that nobody knows."""

import pytest

from segapp.errors import suggest

OPTIONS = ["--job", "--name", "--trainer.max_epochs", "--data.batch_size", "--model", "--config"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--foo", None),
        ("--jobs", "--job"),
        ("--nam", "--name"),
        ("--epochs", "--trainer.max_epochs"),
        ("--trainer.epochs", "--trainer.max_epochs"),
        ("--bs", "--data.batch_size"),
        ("--xyz", None),
        ("--confg", "--config"),
    ],
)
def test_only_what_is_near_is_suggested(word: str, meant: str | None) -> None:
    assert suggest(word, OPTIONS) == ("" if meant is None else f" (did you mean '{meant}'?)")
