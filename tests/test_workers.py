"""Worker processes start, report and end together, whatever ends them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segapp.errors import FatalError, MisuseError, SegappError
from segapp.workers import Workers

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)  # the processes import this file


def send_place(start):
    for value in range(start, start + 2):
        yield value, os.environ["PLACE"], os.environ["OMP_NUM_THREADS"]


def send_then(how, folder=""):
    yield os.getpid()
    if how == "refuse":
        raise MisuseError("wrong")
    if how == "fail":
        sys.exit(3)
    if how == "be killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "be deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:  # a signal may come as soon as the file is there
        (Path(folder) / f"{os.getpid()}.begun").touch()
        time.sleep(100)
    finally:
        (Path(folder) / f"{os.getpid()}.unwound").touch()


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_values_arrive_from_every_process_with_its_environment_and_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("segapp.system.limits.count_usable_cores", lambda: 7)
    with Workers(send_place, [(0,), (10,)], [{"PLACE": "a"}, {"PLACE": "b"}]) as group:
        found = sorted(group)
    assert found == [(0, (0, "a", "3")), (0, (1, "a", "3")), (1, (10, "b", "3")), (1, (11, "b", "3"))]
    assert "PLACE" not in os.environ and "OMP_NUM_THREADS" not in os.environ


def send_safety(_):
    yield sys.flags.safe_path, os.environ["LD_LIBRARY_PATH"]


def test_no_module_of_the_current_folder_is_imported(tmp_path, monkeypatch):
    """Images from elsewhere may lie there, and a struct.py beside them."""
    (tmp_path / "struct.py").write_text("from pathlib import Path; Path('ran').touch()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere:")  # as cv2 leaves it: the empty part is the current folder
    with Workers(send_safety, [(0,)]) as group:
        assert list(group) == [(0, (True, "/nowhere"))]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("how", "error", "exit_code", "found"),
    [
        ("refuse", FatalError, 2, "wrong"),
        ("fail", SegappError, 1, "exit code 3"),
        ("be killed", SegappError, 1, "signal 9, perhaps for memory"),
    ],
)
def test_one_that_ends_early_ends_all(how, error, exit_code, found, tmp_path):
    started = time.monotonic()
    with (
        pytest.raises(error) as raised,
        Workers(send_then, [("wait", str(tmp_path)), (how,)], advice="Do so.") as group,
    ):
        list(group)
    assert raised.value.exit_code == exit_code and found in str(raised.value)
    assert time.monotonic() - started < 20
    assert not any(process.is_alive() for process in group._processes)


PARENT = """
import signal
import sys
sys.path.insert(0, sys.argv[3])
from segapp import workers
from segapp.cli import entry_point
from tests.test_workers import send_then

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts jobs in the background without it
workers.PATIENCE_SECONDS = 0.2 if sys.argv[1] == "be deaf" else 10.0
def run(arguments):
    with workers.Workers(send_then, [(sys.argv[1], sys.argv[2])] * 2) as group:
        for _, process in group:
            print(process, flush=True)
    return 0
entry_point._dispatch = run
sys.exit(entry_point.main([]))
"""


@pytest.mark.parametrize(
    ("number", "how", "code"),
    [
        (signal.SIGTERM, "wait", 143),
        (signal.SIGTERM, "be deaf", 143),
        (signal.SIGINT, "wait", 130),
        (signal.SIGKILL, "wait", -9),
    ],
)
def test_a_signal_to_the_first_process_ends_all(number, how, code, tmp_path):
    words = [sys.executable, "-c", PARENT, how, str(tmp_path), str(ROOT)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        processes = [int(parent.stdout.readline()) for _ in range(2)]
        wait_until(lambda: len(list(tmp_path.glob("*.begun"))) == 2)
        parent.send_signal(number)
        assert parent.wait(timeout=20) == code
    wait_until(lambda: not any(map(is_alive, processes)))
    assert len(list(tmp_path.glob("*.unwound"))) == (0 if how == "be deaf" else 2)


def test_ctrl_c_of_a_terminal_reaches_the_first_process_only(tmp_path):
    """It goes to all processes of the group; the first one then ends the others in order."""
    words = [sys.executable, "-c", PARENT, "wait", str(tmp_path), str(ROOT)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as parent:
        processes = [int(parent.stdout.readline()) for _ in range(2)]
        wait_until(lambda: len(list(tmp_path.glob("*.begun"))) == 2)
        os.killpg(parent.pid, signal.SIGINT)
        _, printed = parent.communicate(timeout=20)
    assert parent.returncode == 130
    assert printed == "segapp: interrupted.\n"
    assert not any(map(is_alive, processes))
    assert len(list(tmp_path.glob("*.unwound"))) == 2


INTERRUPTED_START = """
import multiprocessing
import os
import signal
import threading
import time
from segapp import workers

def start_interrupted(process):
    start(process)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.2)

start, workers.SPAWN.Process.start = workers.SPAWN.Process.start, start_interrupted
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Thread(target=threading.Event().wait, daemon=True).start()  # it would take the signal
try:
    with workers.Workers(time.sleep, [(20,)]):
        print("started")
except KeyboardInterrupt:
    print(multiprocessing.active_children())
"""


def test_ctrl_c_while_a_process_starts_leaves_none():
    """The process had started and was not kept yet, so it was waited for instead of ended."""
    words = [sys.executable, "-c", INTERRUPTED_START]
    assert subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60).stdout == "[]\n"


def test_a_process_that_cannot_start_leaves_none(tmp_path):
    group = Workers(send_then, [("wait", str(tmp_path)), (lambda: "cannot be pickled",)])
    with pytest.raises(Exception, match="pickle"), group:
        pytest.fail("started")
    assert len(group._processes) == 1 and not group._processes[0].is_alive()
