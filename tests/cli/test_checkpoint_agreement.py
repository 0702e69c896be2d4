"""Whether a checkpoint and the run that uses it agree."""

from types import SimpleNamespace

import pytest

from segapp.cli.checkpoint_agreement import refuse_other_classes, restore_splits
from segapp.errors import MisuseError


def test_the_data_must_have_the_classes_of_the_checkpoint():
    refuse_other_classes(("a", "b"), ("a", "b"))
    with pytest.raises(MisuseError, match=r"a, b.* b, a") as raised:
        refuse_other_classes(("a", "b"), ("b", "a"), "fit")
    assert "--init_from" in str(raised.value)


def make_data() -> SimpleNamespace:
    done: list[object] = []
    return SimpleNamespace(done=done, restore_splits=done.append, keep_split=lambda: done.append("own"))


def make_source(seed: int) -> dict:
    split = {"class_path": "segapp.datasets.Fraction", "init_args": {"seed": seed}}
    return {"source": {"class_path": "segapp.datasets.Folder", "init_args": {"split": split}}}


RECORD = {"splits": {"train": ["a"], "val": ["b"], "test": ["c"]}, "config": {"data": make_source(0)}}


def test_the_split_of_a_checkpoint_holds_unless_the_user_asks_for_another():
    data = make_data()
    restore_splits(data, make_source(0), RECORD, new=False)
    restore_splits(data, make_source(1), RECORD, new=True)
    restore_splits(data, make_source(0), RECORD | {"splits": {}}, new=False)
    assert data.done == [RECORD["splits"], "own", "own"]
    with pytest.raises(MisuseError, match="--new_split"):
        restore_splits(data, make_source(1), RECORD, new=False)


@pytest.mark.parametrize("config", [{}, {"data": 5}, {"data": {"source": 5}}, 5], ids=str)
def test_a_split_is_restored_where_the_source_is_not_known(config):
    """A Trainer in Python may not know all settings, and a file from elsewhere may hold anything."""
    data = make_data()
    restore_splits(data, make_source(1), RECORD | {"config": config}, new=False)
    assert data.done == [RECORD["splits"]]
