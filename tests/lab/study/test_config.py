"""What a study's YAML means, and what is said when it means nothing."""

import pytest

from segapp.errors import MisuseError
from tests.lab.study.written import SKIP, read, write_base


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_base()


def test_a_contrast_selects_variants_by_axis_or_by_name():
    contrasts = [
        {"name": "add", "variants": {"long_skip": "long_skip=add"}, "against": {"long_skip": "long_skip=none"}},
        {"name": "one", "variants": "long_skip=add, plain", "against": ["long_skip=none, plain"]},
    ]
    first, second = read(contrasts=contrasts).contrasts
    assert first.variants == ("long_skip=add, plain", "long_skip=add, residual")
    assert first.against == ("long_skip=none, plain", "long_skip=none, residual")
    assert (second.variants, second.against) == (("long_skip=add, plain",), ("long_skip=none, plain",))


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
