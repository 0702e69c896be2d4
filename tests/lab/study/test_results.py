"""What a job of a study left on the disk."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from segapp.lab.study.jobs import StudyJob
from segapp.lab.study.results import read_result


def make_study(levels):
    variants = [SimpleNamespace(name="other", levels={}), SimpleNamespace(name="a", levels=levels)]
    return SimpleNamespace(variants=variants)


@pytest.fixture
def job(tmp_path):
    return StudyJob("a", 3, tmp_path, "test", {"epoch": 1}, (), (), {"parameters": 7})


def test_a_finished_job_says_where_its_run_and_its_evaluation_are(job):
    job.write_state(status="finished", seconds=12.0, run="now", evaluation="test-1")
    found = read_result(job, make_study({"x": "x=1", "y": "y=2"}))
    assert (found.variant, found.seed, found.status, found.seconds) == ("a", 3, "finished", 12.0)
    assert (found.run, found.evaluation) == (job.folder / "now", job.folder / "now" / "test-1")
    assert found.examples == job.folder / "examples"
    assert (found.facts, found.levels) == ({"parameters": 7}, {"x": "x=1", "y": "y=2"})


def test_one_axis_is_the_variant_s_name_and_no_level_of_its_own(job):
    assert read_result(job, make_study({"x": "x=1"})).levels == {}


@pytest.mark.parametrize("status", ["running", "failed"])
def test_a_job_that_is_not_finished_has_no_numbers(job, status):
    job.write_state(status=status, seconds=5.0, message="lr is a number.")
    found = read_result(job, make_study({}))
    assert (found.run, found.evaluation) == (None, None)
    assert (found.status, found.message, found.seconds) == (status, "lr is a number.", 5.0)


def test_a_job_that_has_not_begun_took_no_time(job):
    found = read_result(job, make_study({}))
    assert found.status == "new" and math.isnan(found.seconds)
    assert list(Path(job.folder).iterdir()) == []
