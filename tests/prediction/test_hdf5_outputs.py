"""An array of an HDF5 file, named after the folder, becomes an array of the same name."""

import h5py
import numpy as np

from segapp.commands.predict import predict
from segapp.spec import Intensity
from tests.inference.checkpoints import make_spec, write_checkpoint
from tests.prediction.predicting import ALLOWED, files


def test_the_array_is_named_after_the_folder(tmp_path, capsys):
    voxels = np.where(np.random.default_rng(0).random((3, 40, 50)) > 0.7, 900, 100).astype(np.int16)
    (tmp_path / "images").mkdir()
    with h5py.File(tmp_path / "images" / "a.h5", "w") as file:
        file["g/image"], file["g/label"] = voxels, voxels
    checkpoint = write_checkpoint(tmp_path / "best.ckpt", make_spec(channels=1, intensity=Intensity("range", 0, 1000)))
    settings = {"ckpt_path": str(checkpoint), "output": str(tmp_path / "out"), "device": "cpu", "allow": ALLOWED}
    assert predict(**settings, images=f"{tmp_path / 'images'}:/g/image") == 0
    assert files(tmp_path / "out") == ["mask/a.h5"]
    with h5py.File(tmp_path / "out" / "mask" / "a.h5") as file:
        np.testing.assert_array_equal(file["g/image"][()], voxels == 900)
    assert predict(**settings | {"output": str(tmp_path / "other")}, images=str(tmp_path / "images")) == 1
    assert "/g/label" in capsys.readouterr().err
