"""A clean set of images and masks, and a data section for it."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.checking.shapes import SOURCE, write_set


@pytest.fixture(scope="session")
def clean(tmp_path_factory) -> Path:
    return write_set(tmp_path_factory.mktemp("clean"))


@pytest.fixture
def no_figures(monkeypatch) -> None:
    """Leave the figures out of pages, most of the time that a check of twelve small images takes."""
    monkeypatch.setattr("segapp.checking.page._add_figures", lambda *_: None)


@pytest.fixture
def folder(clean, tmp_path, monkeypatch) -> Path:
    """A copy of the clean set in `data`, and `mine.yaml`, in the current folder."""
    shutil.copytree(clean, tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"source": SOURCE}))
    return tmp_path / "data"
