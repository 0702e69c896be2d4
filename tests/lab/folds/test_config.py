"""From a config of `segapp fit` to one config for each fold."""

import pytest

from segapp.checkpoints.merge import get_value, override_values
from segapp.errors import MisuseError
from segapp.lab.folds.config import SPLIT, read_folds
from segapp.loading.source_building import build_source
from tests.lab.folds.sample import CONFIG, write_config, write_data


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data")
    return tmp_path


def read(folder, folds=3, **changes):
    return read_folds(write_config(folder / "mine.yaml", override_values(CONFIG, changes)), folds)


def test_each_fold_is_the_config_with_another_split(folder):
    study = read(folder)
    assert study.name == "mine_folds" and study.score_on == "validate" and study.seeds == (3,)
    splits = [get_value(variant.config, SPLIT) for variant in study.variants]
    assert [split["init_args"]["fold"] for split in splits] == [0, 1, 2]
    assert {split["class_path"] for split in splits} == {"segapp.datasets.KFold"}
    assert all(split["init_args"]["within"] == get_value(CONFIG, SPLIT) for split in splits)
    for variant, split in zip(study.variants, splits, strict=True):
        assert override_values(variant.config, {SPLIT: get_value(CONFIG, SPLIT)}) == CONFIG
        assert split["init_args"]["seed"] == 1


def test_without_test_images_all_images_are_divided(folder):
    split = {"class_path": "segapp.datasets.Contiguous", "init_args": {"val": 0.2}}
    (first, *_) = read(folder, **{SPLIT: split}).variants
    settings = get_value(first.config, SPLIT)["init_args"]
    assert settings["within"] is None and settings["contiguous"] and not settings["stratify"]


def test_folds_of_blocks_are_blocks(folder):
    split = {"class_path": "segapp.datasets.Blocks", "init_args": {"size": 32, "gap": 4, "test": 0.0}}
    (first, *_) = read(folder, **{SPLIT: split, "data.source.init_args.group": None}).variants
    assert get_value(first.config, SPLIT)["init_args"]["within"] == split


def test_folds_of_a_stratified_split_are_stratified(folder):
    (first, *_) = read(folder, **{f"{SPLIT}.init_args.stratify": True}).variants
    assert get_value(first.config, SPLIT)["init_args"]["stratify"]


@pytest.mark.slow
def test_each_of_joined_data_sets_is_divided_by_itself(folder):
    write_data(folder / "more")
    folder_, seeds = get_value(CONFIG, "data.source"), (1, 7)
    parts = [
        override_values(folder_, {"init_args.root": root, "init_args.split.init_args.seed": seed})
        for root, seed in zip(("data", "more"), seeds, strict=True)
    ]
    joined = {"class_path": "segapp.datasets.Joined", "init_args": {"sources": parts, "names": ["a", "b"]}}
    study = read(folder, 2, **{"data.source": joined})
    for number, variant in enumerate(study.variants):
        sources = get_value(variant.config, "data.source.init_args.sources")
        splits = [get_value(one, "init_args.split.init_args") for one in sources]
        assert [(split["fold"], split["seed"]) for split in splits] == [(number, seed) for seed in seeds]
        assert all(
            split["within"] == get_value(CONFIG, SPLIT) | {"init_args": {"val": 0.2, "test": 0.2, "seed": seed}}
            for split, seed in zip(splits, seeds, strict=True)
        )
    source = build_source("here", study.variants[1].config["data"])
    for name in "ab":
        held, scored, trained = (
            {i.name for i in source.items(split) if i.name.startswith(name)} for split in ("test", "val", "train")
        )
        assert len(held | scored | trained) == 12 and {len(scored), len(trained)} == {4, 6}
    cells = {"class_path": "segapp.datasets.Cells", "init_args": {"root": "c"}}
    with pytest.raises(MisuseError, match=r"sources\[0\].* Cells"):
        read(
            folder,
            **{"data.source": {"class_path": "segapp.datasets.Joined", "init_args": {"sources": [cells, cells]}}},
        )


@pytest.mark.parametrize(
    ("folds", "changes", "told"),
    [
        (1, {}, "--folds"),
        (3, {SPLIT: {"class_path": "segapp.datasets.KFold", "init_args": {"fold": 0}}}, "k folds"),
        (3, {"data.source": {"class_path": "segapp.datasets.Cells", "init_args": {"root": "c", "size": 32}}}, "Cells"),
        (3, {"seed_everything": "seven"}, "seed_everything"),
        (3, {"data": None}, "data.source"),
    ],
)
def test_what_cannot_be_folded_is_refused_with_its_file(folder, folds, changes, told):
    if "data.source" in changes:
        changes["data.source"]["init_args"] |= {"train": 2, "val": 1, "test": 1}
    with pytest.raises(MisuseError, match=told) as raised:
        read(folder, folds, **changes)
    assert folds < 2 or "mine.yaml" in str(raised.value)


def test_a_config_that_is_not_there_is_named(folder):
    with pytest.raises(MisuseError, match=r"other\.yaml"):
        read_folds(folder / "other.yaml", 3)
