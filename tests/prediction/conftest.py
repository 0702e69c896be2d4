"""One image to predict, whose mask may be there."""

import pytest

from segapp.prediction.tasks import ImageTask


@pytest.fixture
def task(tmp_path) -> ImageTask:
    (tmp_path / "a.png").write_bytes(b"image")
    return ImageTask(tmp_path / "a.png", {"mask": tmp_path / "out" / "a.png"}, "a.png")


def written(task: ImageTask) -> None:
    task.outputs["mask"].parent.mkdir(exist_ok=True)
    task.outputs["mask"].write_bytes(b"mask")
