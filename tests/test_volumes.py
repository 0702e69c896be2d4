"""The page on volumes: its YAML trains on volumes, and predictions are volumes."""

import json
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml

from segapp.cli import main
from segapp.planning.sizes import PIXELS_PER_STEP
from tests.io.volumes import write_nifti

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "volumes.md").read_text()
SMALL = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--data.batch_size=2", "--data.num_workers=0"]
NARROW = "--model.net.init_args.encoder.init_args.widths=[8, 8, 16, 16]"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A set as the Decathlon has it, of six volumes."""
    (data,) = re.findall(r"```yaml\n# (data/\S+)\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / data[0]).parent.mkdir()
    (tmp_path / data[0]).write_text(data[1])
    task = tmp_path / "data" / "Task04_Hippocampus"
    random = np.random.default_rng(0)
    for number in range(6):
        mask = np.zeros((36, 34, 3), np.uint8)
        mask[4 + number : 20, 8:20], mask[4 + number : 20, 20:28] = 1, 2
        image = (mask * 80 + random.integers(0, 60, mask.shape)).astype(np.int16)
        for place, voxels in (("imagesTr", image), ("labelsTr", mask), ("imagesTs", image)):
            (task / place).mkdir(parents=True, exist_ok=True)
            write_nifti(task / place / f"hippocampus_{number:03}.nii.gz", voxels, "RAS", (1, 1, 2.5))
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # a small training is not what torch would advise
def test_the_page_trains_and_predicts(folder):
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    _, fit, predict = block.splitlines()
    assert main([*fit.split()[1:], *SMALL, NARROW]) == 0
    (run,) = (folder / "runs" / "volumes").glob("2*")
    assert main(["test", "--ckpt_path", str(run / "checkpoints" / "best.ckpt"), "--data.num_workers=0"]) == 0
    assert len((run / "test-1" / "per_volume.csv").read_text().splitlines()) == 2
    best = str(run / "checkpoints" / "best.ckpt")
    assert main(["test", "--ckpt_path", best, "--data.num_workers=0", "--tolerance=2.5mm"]) == 0
    measured = [json.loads((run / name / "metrics.json").read_text()) for name in ("test-1", "test-2")]
    assert "boundaries" not in measured[0] and measured[1]["boundaries"] == {"tolerance": 2.5, "unit": "mm"}
    assert measured[0]["scores"]["dice/dataset"] == measured[1]["scores"]["dice/dataset"]
    assert main(predict.replace("<time>", run.name).split()[1:]) == 0
    for path in (folder / "data" / "Task04_Hippocampus" / "imagesTs").iterdir():
        image, mask = nibabel.load(path), nibabel.load(folder / "masks" / "mask" / path.name)
        assert mask.shape == image.shape and mask.get_data_dtype() == np.uint8
        np.testing.assert_array_equal(mask.affine, image.affine)
        assert np.asanyarray(mask.dataobj).max() <= 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # as above
def test_the_plan_of_a_folder_trains_untouched(folder, monkeypatch):
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 32**2)
    monkeypatch.setattr("segapp.planning.candidates.MIN_CROP", 32)
    page = (ROOT / "docs" / "plan.md").read_text()
    (block,) = re.findall(r"## Plan for volumes\n\n```\n(.*?)```", page, re.DOTALL)
    plan, fit = block.splitlines()
    assert main(plan.split()[1:]) == 0
    source = yaml.safe_load((folder / "mine.yaml").read_text())["data"]["source"]["init_args"]
    assert (source["axis"], source["images"], source["masks"]) == ("axial", "imagesTr", "labelsTr")
    short = ["--trainer.max_steps=1", "--trainer.limit_val_batches=1", "--data.num_workers=0"]
    assert main([*fit.split()[1:], *short]) == 0
