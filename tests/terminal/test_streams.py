"""Standard streams that are closed, full, or gone: the right exit code, one sentence at most, no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")


def segapp(redirected: str, words: str = "--help") -> subprocess.CompletedProcess[str]:
    line = f'"{sys.executable}" -m segapp {words} {redirected}'
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=ROOT)


@FULL
@pytest.mark.parametrize("unbuffered", ["", "PYTHONUNBUFFERED=1 "])
def test_a_full_output_is_a_sentence_and_a_failure(unbuffered):
    done = subprocess.run(
        ["bash", "-c", f'{unbuffered}"{sys.executable}" -m segapp --help >/dev/full'],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("segapp: standard output cannot be written (No space left on device)")
    assert done.stderr.count("\n") == 1


@FULL
@pytest.mark.parametrize("redirected", ["2>/dev/full", "2>&-", ">&- 2>&-", "<&- >/dev/null 2>&-"])
def test_an_error_that_cannot_be_printed_is_still_the_exit_code(redirected):
    done = segapp(redirected, "predct")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_a_closed_output_takes_nothing_and_fails_nothing():
    assert segapp(">&-").returncode == 0


def test_a_closed_stream_is_no_file_that_is_opened_next(tmp_path):
    code = (
        "from segapp.terminal.streams import checked_streams; import os, sys\n"
        f"with checked_streams():\n    file = open({str(tmp_path / 'a')!r}, 'w')\n    os.write(2, b'noise')\n"
        "    print('more noise', file=sys.stderr)\n    file.write('mask')"
    )
    done = subprocess.run(["bash", "-c", f'"{sys.executable}" -c "{code}" 2>&-'], cwd=ROOT)
    assert done.returncode == 0
    assert (tmp_path / "a").read_text() == "mask"


def test_a_reader_that_went_away_is_no_failure_of_ours():
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m segapp --help | true; echo ${{PIPESTATUS[0]}}'],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() in ("0", "141") and done.stderr == ""
