"""What a study's YAML means, and what is said when it means nothing."""

from pathlib import Path

import pytest
import yaml

from segapp.errors import MisuseError
from segapp.lab.study.config import read_study

BASE = {
    "name": "base",
    "data": {"source": {"class_path": "segapp.datasets.Cells", "init_args": {"root": "here"}}, "crop": [32, 32]},
    "model": {"net": {"class_path": "segapp.models.UNet", "init_args": {"long_skip": "concat"}}},
    "trainer": {"max_epochs": 3},
}


SKIP, SHORT = "model.net.init_args.long_skip", "model.net.init_args.short_skip"


STUDY = {
    "base": "base.yaml",
    "set": {"trainer.max_epochs": 1},
    "grid": {SKIP: ["none", "add"], "short": {"plain": {SHORT: "none"}, "residual": {SHORT: "add", "data.crop": 16}}},
    "seeds": [3, 4],
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(yaml.safe_dump(BASE))


def read(**changes):
    Path("study.yaml").write_text(yaml.safe_dump(STUDY | changes))
    return read_study(Path("study.yaml"))


def test_variants_are_all_combinations_each_a_complete_config():
    study = read()
    assert [variant.name for variant in study.variants] == [
        "long_skip=none, plain",
        "long_skip=none, residual",
        "long_skip=add, plain",
        "long_skip=add, residual",
    ]
    last = study.variants[-1]
    assert last.levels == {"long_skip": "long_skip=add", "short": "residual"}
    assert last.config["model"]["net"]["init_args"] == {"long_skip": "add", "short_skip": "add"}
    assert last.config["data"]["crop"] == 16  # one value of an axis may set several keys
    assert last.config["trainer"] == {"max_epochs": 1}
    assert study.variants[0].config["data"] == BASE["data"]
    assert study.seeds == (3, 4)


def test_values_that_end_alike_are_variants_of_their_own():
    root = "data.source.init_args.root"
    assert [variant.name for variant in read(grid={root: ["data/v1.0", "data/v2.0"]}).variants] == [
        "root=data/v1.0",
        "root=data/v2.0",
    ]


def test_a_fragment_with_another_class_keeps_nothing_of_the_former():
    Path("mine.yaml").write_text(yaml.safe_dump({"source": {"class_path": "segapp.datasets.Folder"}}))
    assert read(data="mine.yaml").variants[0].config["data"]["source"] == {"class_path": "segapp.datasets.Folder"}


def test_a_contrast_selects_variants_by_axis_or_by_name():
    contrasts = [
        {"name": "add", "variants": {"long_skip": "long_skip=add"}, "against": {"long_skip": "long_skip=none"}},
        {"name": "one", "variants": "long_skip=add, plain", "against": ["long_skip=none, plain"]},
    ]
    first, second = read(contrasts=contrasts).contrasts
    assert first.variants == ("long_skip=add, plain", "long_skip=add, residual")
    assert first.against == ("long_skip=none, plain", "long_skip=none, residual")
    assert (second.variants, second.against) == (("long_skip=add, plain",), ("long_skip=none, plain",))


def test_a_variant_takes_what_it_does_not_say_from_the_study_it_is_like():
    read(about="the original", name="original")
    Path("small.yaml").write_text(yaml.safe_dump({"like": "study.yaml", "seeds": [0], "set": {"data.batch_size": 2}}))
    small = read_study(Path("small.yaml"))
    assert (small.name, small.about, small.seeds) == ("small", "the original", (0,))
    assert small.variants[0].config["trainer"]["max_epochs"] == 1
    assert small.variants[0].config["data"]["batch_size"] == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grids": {}}, ["grids", "did you mean 'grid'"]),
        ({"base": "nope.yaml"}, ["no config nope.yaml"]),
        ({"seeds": [0, 0]}, ["twice"]),
        ({"seeds": 3}, ["seeds must be a list"]),
        ({"grid": {SKIP: "none"}}, ["grid." + SKIP]),
        ({"grid": {SKIP: ["a b", "a/b"]}}, ["have the same folder"]),
        ({"score_on": "train"}, ["test or validate", "train"]),
        ({"name": "../up"}, ["../up"]),
        ({"groups": {"neighbors": 3}}, ["neighbours"]),
        ({"match_params": {"widths": "x"}}, ["target"]),
        ({"match_params": {"target": "nobody"}}, ["no variant 'nobody'"]),
        (
            {"contrasts": [{"name": "x", "variants": {"short": "long"}, "against": {}}]},
            ["short has no 'long'", "residual"],
        ),
        (
            {"contrasts": [{"name": "x", "variants": {"short": ["plain", "residul"]}, "against": {}}]},
            ["short has no 'residul'", "plain, residual"],
        ),
        (
            {"contrasts": [{"name": "x", "variants": {"shirt": "plain"}, "against": {}}]},
            ["no variant matches", "residual"],
        ),
        ({"contrasts": 3}, ["contrasts is a list"]),
        ({"grid": ["a"]}, ["grid is a mapping"]),
        ({"grid": {SKIP: ["none", "none"]}}, ["twice"]),
        ({"set": ["a"]}, ["set is a mapping"]),
        ({"base": ["x"]}, ["base is the path", "study.yaml"]),
        ({"groups": {"neighbours": 0}}, ["1 or more"]),
        ({"groups": {"pattern": "("}}, ["regular expression"]),
        ({"landscape": {"split": "vla"}}, ["train, val or test"]),
        ({"landscape": {"seeds": "many"}}, ["landscape.seeds must be a number"]),
        ({"contrasts": [{"name": "x", "variants": {}, "against": {}}]}, ["both sides"]),
        ({"contrasts": [{"name": "x"}]}, ["name, variants and against"]),
        ({"like": "study.yaml"}, ["`like: "]),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(changes, words):
    with pytest.raises(MisuseError) as error:
        read(**changes)
    for word in ("nope.yaml" if changes.get("base") == "nope.yaml" else "study.yaml", *words):
        assert word in str(error.value)


@pytest.mark.parametrize("content", [b"PK\x03\x04\x80\xff", b"name: ["], ids=repr)
def test_a_file_that_is_not_yaml_is_refused(content):
    Path("last.ckpt").write_bytes(content)
    for path in (Path("last.ckpt"), Path("study.yaml")):
        Path("study.yaml").write_text(yaml.safe_dump(STUDY | {"base": "last.ckpt"}))
        with pytest.raises(MisuseError, match=r"^last\.ckpt: "):
            read_study(path)
