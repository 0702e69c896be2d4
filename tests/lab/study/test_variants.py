"""The variants of a study are the combinations of its grid."""

from pathlib import Path

import pytest
import yaml

from tests.lab.study.written import BASE, read, write_base


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_base()


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
