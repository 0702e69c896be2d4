"""One variant in a process of its own."""

import runpy
import sys

import pytest

from segapp.cli.parser import FunctionParser
from segapp.errors import MisuseError, SegappError
from segapp.lab.landscape.command import landscape
from segapp.lab.study import run_variant
from segapp.lab.study.run_variant import Slot, list_landscape_options, run_job
from tests.lab.study.planned import plan


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_options_of_a_landscape_are_written_as_the_command_line_takes_them():
    options = list_landscape_options({"split": "val", "samples": 4, "recalibrate": True, "radius": 0.5})
    assert options == ["--split=val", "--samples=4", "--recalibrate=true", "--radius=0.5"]
    parser = FunctionParser()
    parser.add_function_arguments(landscape, as_group=False)
    found = parser.parse_args(options)
    assert (found.split, found.samples, found.recalibrate, found.radius) == ("val", 4, True, 0.5)


@pytest.fixture
def job(monkeypatch):
    monkeypatch.setattr(run_variant, "_log_to", lambda path: None)
    monkeypatch.setattr(run_variant, "_end_with_the_parent", lambda: None)
    monkeypatch.setattr(run_variant.torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(sys, "argv", ["pytest"])
    job = plan()[0]
    (job.folder / "log.txt").write_text("segapp: of an earlier start.\n")
    return job


@pytest.mark.parametrize(
    ("error", "message"),
    [(MisuseError("lr is a number."), "lr is a number."), (ValueError("odd"), "ValueError: odd")],
)
def test_a_variant_that_fails_says_why_and_keeps_its_time(job, monkeypatch, error, message, capsys):
    def fail(_):
        raise error

    monkeypatch.setattr(run_variant, "_run_steps", fail)
    job.write_state(status="running", seconds=100.0)
    with pytest.raises(SystemExit):
        run_job(job, Slot(None, 1))
    state = job.read_state()
    assert (state["status"], state["message"]) == ("failed", message)
    assert 100 <= state["seconds"] < 110
    assert "Traceback" in capsys.readouterr().err


def test_a_finished_variant_says_where_its_results_are_and_sees_its_gpu(job, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr(run_variant, "_run_steps", lambda _: {"run": "now", "evaluation": "test-1"})
    run_job(job, Slot("1", 1))
    assert (job.read_state()["status"], job.read_state()["run"]) == ("finished", "now")
    assert run_variant.os.environ["CUDA_VISIBLE_DEVICES"] == "1"


@pytest.mark.parametrize(
    ("code", "logged", "raised", "told"),
    [
        (2, "segapp: first.\nsegapp: lr is a number.\n", SegappError, r"^lr is a number\.$"),
        (1, "nothing known\n", SegappError, "fit ended with 1"),
        (130, "", KeyboardInterrupt, None),
    ],
)
def test_a_command_that_fails_is_told_by_its_last_message(job, monkeypatch, code, logged, raised, told, capsys):
    def run(*_, **__):
        assert sys.argv == ["segapp", "fit", "--config", "x.yaml"]
        with (job.folder / "log.txt").open("a") as log:
            log.write(logged)
        raise SystemExit(code)

    monkeypatch.setattr(runpy, "run_module", run)
    with pytest.raises(raised, match=told):
        run_variant._run_segapp(["fit", "--config", "x.yaml"], job)
    assert "$ segapp fit --config x.yaml" in capsys.readouterr().out


def test_a_run_without_a_score_is_not_tested(job, monkeypatch):
    commands = []
    monkeypatch.setattr(run_variant, "_run_segapp", lambda words, _: commands.append(words[0]))
    with pytest.raises(SegappError, match="no best checkpoint"):
        run_variant._run_steps(job)
    assert commands == ["fit"]
