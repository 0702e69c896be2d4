"""The page of a training shows what is in its folder, and foreign text as text."""

import re

import numpy as np
import pytest

from segapp.io import write_image, write_table
from segapp.report.training_page import Best, Session, choose_samples, find_best, write_training_page
from segapp.spec import Spec

SPEC = Spec(classes=("background", "<b>cell"), background=0, palette=((0, 0, 0), (255, 0, 0)), channels=1)
ROWS = [("1", "10", "0.5", "0.4"), ("2", "20", "0.75", "0.6"), ("3", "30", "0.625", "0.5")]


def make_session(**changes) -> Session:
    plain = {"end": "Finished.", "first_step": 0, "steps": 30, "seconds": 10.0, "validation_seconds": 4.0, "best": None}
    return Session(**{**plain, "peak_bytes": 2 * 10**9, "gpu_bytes": None, "device": "CPU", **changes})


@pytest.fixture
def folder(tmp_path):
    """The files of a run."""
    keys = ["val/dice/dataset", "val/dice/dataset/<b>cell"]
    write_table(tmp_path / "metrics.csv", ["epoch", "step", *keys], ROWS)
    image = np.zeros((4, 6, 3), np.uint8)
    write_image(tmp_path / "curves.png", image)
    for name in ("<i>a-epoch001.png", "<i>a-epoch002.png", "other.png"):
        write_image(tmp_path / "samples" / name, image)
    (tmp_path / "config.yaml").write_text("# top\nname: <script>x\ndata:\n  # as <em>planned</em>\n  crop: [64, 64]\n")
    return tmp_path


def test_a_page_has_the_curves_the_samples_the_plan_and_the_costs(folder):
    best = write_training_page(folder / "report.html", make_session(), SPEC)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert best == Best(0.75, 2, 20)
    assert page.count("data:image/png;base64,") == 3
    assert "as &lt;em&gt;planned&lt;/em&gt;" in page and "data.crop: 64, 64" in page
    assert "5</b>steps a second" in page and "40%</b>" in page and "2 GB</b>" in page
    assert ">0.6000<" in page  # the class at the best validation
    assert not re.search(r"<(script|em|i>a|b>cell)|https?://|src=\"(?!data:)", page)


def test_a_run_of_another_session_has_its_best_validation_and_says_from_where_it_was_measured(folder):
    best = write_training_page(folder / "report.html", make_session(first_step=20, steps=10), SPEC)
    assert best == Best(0.75, 2, 20)
    assert "from step 20" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_run_in_python_without_a_validation_has_a_page_too(tmp_path):
    assert write_training_page(tmp_path / "report.html", make_session(gpu_bytes=10**9), SPEC) is None
    assert "1 GB</b>memory of the GPU" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_best_validation_may_lie_within_an_epoch():
    rows = [
        {"epoch": "1", "step": "10", "val/dice/dataset": "0.5"},
        {"epoch": "2", "step": "20", "val/dice/dataset": ""},
    ]
    assert find_best(rows, None) == Best(0.5, 1, 10)
    assert find_best(rows, Best(0.6, 1, 5)) == Best(0.6, 1, 5)
    assert find_best(rows, Best(0.5000001, 1, 10)).score == 0.5000001
    assert find_best([], None) is None


def test_samples_are_the_first_the_last_and_some_between():
    names = [f"{image}-epoch{epoch:03d}.png" for image in ("b", "a10", "a9", "c") for epoch in range(1, 11)]
    chosen = choose_samples([*names, "notes.txt"])
    assert list(chosen) == ["a9", "a10", "b"]
    assert [epoch for epoch, _ in chosen["b"]] == [1, 4, 7, 10]
