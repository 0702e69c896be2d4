"""Images that are converted are counted."""

from pathlib import Path

import pytest

from segapp.datasets import Folder, Fraction
from segapp.datasets.channel_conversion import report_converted
from tests.datasets.look_alikes import save
from tests.datasets.masks.coloured import COLOURED, TRUTH


def test_conversions_are_counted_where_the_first_image_decides(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        save(tmp_path / f"images/{number}.png", COLOURED if number else TRUTH)
        save(tmp_path / f"masks/{number}.png", TRUTH)
    folder = Folder(tmp_path, ["background", "a"], split=Fraction(val=0.5))
    assert folder.channels == 1 and folder.items("train")
    (said,) = [record.getMessage() for record in caplog.records]
    assert "3 of 4 images have 3 channels" in said and "channels: 3" in said
    caplog.clear()
    assert Folder(tmp_path, ["background", "a"], split=Fraction(val=0.5), channels=3).items("train")
    assert not caplog.records


def test_each_number_of_channels_is_counted_and_unreadable_files_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path / "0.png", TRUTH)
    for name in "12":
        save(tmp_path / f"{name}.png", COLOURED)
    (tmp_path / "3.png").write_bytes(b"broken")
    report_converted(sorted(tmp_path.iterdir()), 1, tmp_path / "0.png")
    (record,) = caplog.records
    assert "2 of 4 images have 3 channels" in record.getMessage() and "0.png" in record.getMessage()
    caplog.clear()
    report_converted([tmp_path / "0.png"], 1, tmp_path / "0.png")
    assert not caplog.records
