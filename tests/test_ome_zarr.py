"""OME-Zarr from images to masks: a set trains, is tested, and predictions are OME-Zarr of the same geometry."""

from pathlib import Path

import numpy as np
import pytest
import yaml
import zarr

from segapp.cli import main
from tests.io.ome_zarrs import write_ome_zarr

ROOT = Path(__file__).parents[1]
SMALL = [
    *("--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--data.batch_size=2", "--data.num_workers=0"),
    "--model.net.init_args.encoder.init_args.widths=[8, 8, 16, 16]",
]
SCALE = [1, 0.5, 0.25, 0.25]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A set of six stacks of two channels, with their labels inside."""
    random = np.random.default_rng(0)
    for number in range(6):
        mask = np.zeros((3, 36, 34), np.uint8)
        mask[:, 4 + number : 20, 8:28] = 1
        image = (mask * 200 + random.integers(0, 60, (2, *mask.shape))).astype(np.uint16)
        path = write_ome_zarr(tmp_path / "cells" / f"{number}.zarr", image, "czyx", SCALE, chunks=(1, 2, 16, 16))
        write_ome_zarr(path, mask, "zyx", SCALE[1:], group="labels/nuclei")
    source = {
        "class_path": "segapp.datasets.Folder",
        "init_args": {
            "root": "cells",
            "images": ".",
            "masks": "{name}.zarr/labels/nuclei",
            "classes": ["background", "nucleus"],
            "split": {"class_path": "segapp.datasets.Fraction", "init_args": {"val": 0.2, "test": 0.2}},
        },
    }
    (tmp_path / "cells.yaml").write_text(yaml.safe_dump({"source": source, "crop": [32, 32], "window": None}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # a small training is not what torch would advise
def test_a_set_trains_and_predictions_are_ome_zarr(folder, capsys):
    config = str(ROOT / "configs" / "unet.yaml")
    assert main(["fit", "--config", config, "--data", "cells.yaml", "--name", "cells", *SMALL]) == 0
    (run,) = (folder / "runs" / "cells").glob("2*")
    best = str(run / "checkpoints" / "best.ckpt")
    assert main(["test", "--ckpt_path", best, "--data.num_workers=0", "--tolerance=0.5um"]) == 0
    assert len((run / "test-1" / "per_volume.csv").read_text().splitlines()) == 2
    capsys.readouterr()
    predict = ["predict", "--ckpt_path", best, "--images", "cells", "--output", "masks"]
    assert main(predict) == 0
    assert "overlay" not in capsys.readouterr().out
    for number in range(6):
        group = zarr.open_group(str(folder / "masks" / "mask" / f"{number}.zarr"), mode="r")
        (image,) = group.attrs["multiscales"]
        assert [axis["name"] for axis in image["axes"]] == ["z", "y", "x"] and group["0"].shape == (3, 36, 34)
        assert image["datasets"][0]["coordinateTransformations"] == [{"type": "scale", "scale": SCALE[1:]}]
        assert group["0"].dtype == np.uint8 and group["0"][...].max() <= 1
    written = {path: path.stat().st_mtime_ns for path in (folder / "masks" / "mask").rglob("*")}
    assert main(predict) == 0
    assert written == {path: path.stat().st_mtime_ns for path in (folder / "masks" / "mask").rglob("*")}
    (folder / "masks" / "mask" / "0.zarr" / "labels").mkdir()  # of the user: the mask is not written over it
    assert main(predict) == 0 and main([*predict, "--overwrite", "--min_object", "5"]) == 2
    assert (folder / "masks" / "mask" / "0.zarr" / "labels").is_dir()
