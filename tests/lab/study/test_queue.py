"""The queue, in a place that only pretends: never more jobs than slots, and a word for every end."""

import os
import signal
from pathlib import Path

import pytest

from segapp.errors import MisuseError
from segapp.lab.study.jobs import StudyJob
from segapp.lab.study.queue import run_all
from segapp.lab.study.run_variant import Slot


class Pretended:
    """Every job ends the second time it is asked; its name says how."""

    def __init__(self, slots: int) -> None:
        self.slots = [Slot(None, threads=n) for n in range(slots)]
        self.asked: dict[str, int] = {}
        self.most = 0
        self.threads: list[int] = []
        self.stopped: list[str] = []
        self.interrupt = False

    def start(self, job: StudyJob, slot: Slot) -> StudyJob:
        self.asked[job.variant] = 0
        self.most = max(self.most, len(self.asked))
        self.threads.append(slot.threads)
        return job

    def wait(self, processes, seconds):
        if self.interrupt:
            raise KeyboardInterrupt

    def describe_end(self, job: StudyJob) -> str | None:
        self.asked[job.variant] += 1
        if self.asked[job.variant] < 2:
            return None
        del self.asked[job.variant]
        if job.variant == "killed":
            return "signal 9"
        job.write_state(status="finished", seconds=1.0, run="now", evaluation="test-1")
        return "exit code 0"

    def stop(self, processes):
        self.stopped = [job.variant for job in processes]


def jobs(folder: Path, *names: str) -> list[StudyJob]:
    made = [StudyJob(name, 0, folder / name, "test", {"epoch": 2}, (), (), {}) for name in names]
    for job in made:
        job.folder.mkdir(parents=True)
    return made


def test_no_more_jobs_than_slots_and_those_that_were_killed_are_told(tmp_path, capsys):
    made, place = jobs(tmp_path, "a", "killed", "b", "done", "c", "d", "e"), Pretended(slots=2)
    made[3].write_state(status="finished", seconds=5.0, run="now", evaluation="test-1")
    run_all(made, tmp_path, place)
    assert place.most == 2 and sorted(place.threads[:2]) == [0, 1] and place.stopped == []
    assert [job.read_state()["status"] for job in made] == ["finished", "failed", *["finished"] * 5]
    assert made[3].read_state()["seconds"] == 5
    assert "ended with signal 9 and no message; see " in made[1].read_state()["message"]
    assert "failed: killed, seed 0: its process ended with signal 9" in capsys.readouterr().out


def test_what_runs_is_stopped_when_the_study_is(tmp_path):
    place = Pretended(slots=1)
    place.interrupt = True
    with pytest.raises(KeyboardInterrupt):
        run_all(jobs(tmp_path, "a", "b"), tmp_path, place)
    assert place.stopped == ["a"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_starts_when_the_study_is_stopped_is_stopped_too(tmp_path, number):
    class Interrupted(Pretended):
        def start(self, job, slot):
            os.kill(os.getpid(), number)
            return super().start(job, slot)

    place, before = Interrupted(slots=1), signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_all(jobs(tmp_path, "a", "b"), tmp_path, place)
    finally:
        signal.signal(number, before)
    assert place.stopped == ["a"]


def test_two_studies_in_one_folder_are_refused(tmp_path):
    class Second(Pretended):
        def wait(self, processes, seconds):
            with pytest.raises(MisuseError, match="another `segapp study`"):
                run_all([], tmp_path, Pretended(1))

    run_all(jobs(tmp_path, "a"), tmp_path, Second(slots=1))
