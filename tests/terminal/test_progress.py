"""How far a command is, where stderr is a log: whole lines, now and then, each state once."""

import re
import time

from segapp.terminal.progress import Progress

LINE = re.compile(r"landscape: (\d+) of 20 points, \d\d:\d\d so far, .+ point/s, \S+ left$")


def test_a_log_has_lines_with_rate_and_remaining_time_and_ends_with_the_last(capsys):
    with Progress(20, "point", "landscape", done=5, every=0.02) as bar:
        for _ in range(15):
            time.sleep(0.004)
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert all(LINE.match(line) for line in lines), lines
    counts = [int(LINE.match(line)[1]) for line in lines]
    assert counts[0] == 5
    assert counts[-1] == 20
    assert counts == sorted(set(counts))
    assert 2 < len(counts) < 12


def test_what_takes_long_says_so_between_two_units(capsys):
    with Progress(2, "epoch", "study", every=0.02) as bar:
        for _ in range(10):
            time.sleep(0.005)
            bar.show()
    assert 2 < len(capsys.readouterr().err.splitlines()) < 8


def test_without_a_total_nothing_is_promised(capsys):
    with Progress(None, "product", "eigenvalues") as bar:
        bar.update(3)
    assert re.fullmatch(
        r"eigenvalues: 0 products.*\neigenvalues: 3 products, \S+ so far, .+ product/s\n", capsys.readouterr().err
    )


def test_a_terminal_has_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress(2, "point", "landscape") as bar:
        bar.update(2)
    shown = capsys.readouterr().err
    assert "\r" in shown
    assert "100%|" in shown
