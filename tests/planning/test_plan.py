"""A whole plan: what it leaves out and what it refuses."""

import cv2
import pytest
import tifffile
import yaml

from segapp.errors import MisuseError
from segapp.planning.machine import Machine
from segapp.planning.sizes import PIXELS_PER_STEP
from tests.planning.discs import plan, write_discs


@pytest.fixture
def discs(tmp_path):
    return write_discs(tmp_path)


@pytest.mark.slow
def test_an_unreadable_image_is_left_out_by_name(discs, monkeypatch):
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    broken = sorted((discs / "photos").iterdir())[3]
    broken.write_bytes(broken.read_bytes()[:300])
    assert plan(discs) == 0
    config = yaml.safe_load((discs / "mine.yaml").read_text())
    assert config["data"]["source"]["init_args"]["exclude"] == [broken.stem]


def test_too_little_memory_is_told(discs, monkeypatch, capsys):
    tiny = Machine("cpu", "a small machine", memory=2**20, main_memory=2**20, cores=1)
    monkeypatch.setattr("segapp.commands.plan.describe_machine", lambda: tiny)
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 128**2)
    assert plan(discs) == 2
    assert "a small machine" in capsys.readouterr().err


def test_test_images_decide_nothing(discs, monkeypatch):
    names = [path.stem for path in sorted((discs / "photos").iterdir())]
    for split, part in (("train", names[:6]), ("val", names[6:8]), ("test", names[8:])):
        (discs / f"{split}.txt").write_text("\n".join(part))
    decided = []

    def refuse(start, fingerprint, *rest):
        decided.extend(image.name for image in fingerprint.images)
        raise MisuseError("no network is measured here.")

    monkeypatch.setattr("segapp.planning.plan.choose_candidate", refuse)
    assert plan(discs) == 2
    assert sorted(decided) == names[:8]


@pytest.mark.slow
@pytest.mark.parametrize(("bands", "read"), [(3, 1), (4, None)])
def test_equal_bands_are_one_channel_where_they_can_be_read_so(discs, monkeypatch, bands, read):
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    for path in sorted((discs / "photos").iterdir()):
        image = cv2.imread(str(path))[..., :1].repeat(bands, axis=2)
        path.unlink()
        tifffile.imwrite(path.with_suffix(".tif"), image, planarconfig="contig", photometric="minisblack")
    assert plan(discs) == 0
    config = yaml.safe_load((discs / "mine.yaml").read_text())
    assert config["data"]["source"]["init_args"].get("channels") == read
