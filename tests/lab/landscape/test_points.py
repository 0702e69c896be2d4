"""The points of a landscape are shared by processes."""

import multiprocessing

from segapp.lab.landscape import points
from segapp.lab.landscape.opening import LandscapeRequest, OpenedLandscape
from segapp.lab.landscape.points import compute_losses


class Bowl:
    """A surface whose loss is known."""

    def compute_loss(self, step):
        return sum(value**2 for value in step.values())


REQUEST = LandscapeRequest("best.ckpt", None, "train", 2, 1, False)
TODO = [(7, {0: 1.0}), (3, {0: 2.0, 1: 1.0}), (5, {})]
LOSSES = {7: 1.0, 3: 5.0, 5: 0.0}


def test_points_are_computed_here_on_one_device():
    opened = OpenedLandscape(Bowl(), None, None, [], (1, 1), "", {})
    assert dict(compute_losses(REQUEST, opened, TODO, devices=1)) == LOSSES


def test_a_process_takes_the_points_that_no_other_has(monkeypatch):
    monkeypatch.setattr(points, "open_landscape", lambda *_: OpenedLandscape(Bowl(), None, None, [], (1, 1), "", {}))
    taken = multiprocessing.get_context("spawn").Value("q", 0)
    first, second = (points._compute_points(REQUEST, "cpu", TODO, taken) for _ in range(2))
    found = [next(first), next(second), next(first)]
    assert dict(found) == LOSSES and list(first) == list(second) == []
