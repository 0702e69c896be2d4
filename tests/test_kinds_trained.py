"""Every layout of the guides trains on what `check` proposes, and is predicted in the geometry of its images."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import PIL.Image
import pydicom
import pytest
import shapely
import SimpleITK
import tifffile
import yaml
from pycocotools.coco import COCO

from segapp.cli import main
from tests.checking.conftest import no_figures  # noqa: F401 - a fixture
from tests.kinds import HEIGHT, NAMES, WIDTH, WRITE, make_mask
from tests.test_kinds import PLANNED, check_masks, find_data, list_checks, list_steps, read_page

CHECKS = [*list_checks(), *(list_steps(page)[0] for page in PLANNED)]
"""Every `check` of the guides but those that begin five commands, which tests/test_kinds.py runs."""
ENCODER = {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [4, 8]}}
CONFIG = {
    "name": "mine",
    "seed_everything": 1,
    "data": {"crop": [32, 32], "crops_per_image": 10, "batch_size": 4, "num_workers": 0},
    "model": {
        "net": {"class_path": "segapp.models.UNet", "init_args": {"encoder": ENCODER}},
        "loss": {"class_path": "segapp.losses.DiceCrossEntropy"},
        "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.02}},
    },
    "trainer": {"max_steps": 30, "check_val_every_n_epoch": None, "val_check_interval": 30, "accelerator": "cpu"},
}
"""A second of training, after which the bright box is found."""
PREDICTED = {
    "nuclei": "nuclei/a/images",
    "tumours": "unlabelled",
    "scans/*/t1.nrrd": "scans/a/t1.nrrd",
    "sources.yaml": "data/a/images",
}
"""Data sets of which not all images are predicted: their masks are in the same folders."""


def open_png() -> np.ndarray:
    with PIL.Image.open("found/mask/a.png") as mask:
        assert mask.mode == "P"
        return np.array(mask)


def open_bands() -> np.ndarray:
    with tifffile.TiffFile("found/mask/a.tif") as file:
        assert len(file.pages) == 1 and file.pages.first.photometric == tifffile.PHOTOMETRIC.PALETTE
        return file.asarray()


def open_ome(images: str, axes: str) -> np.ndarray:
    with tifffile.TiffFile("found/mask/a.ome.tif") as file, tifffile.TiffFile(f"{images}/a.ome.tif") as image:
        found, expected = (re.findall(r'PhysicalSize.="[^"]*"', one.ome_metadata or "") for one in (file, image))
        assert sorted(found) == sorted(expected) and len(found) == len(axes) and file.series[0].axes == axes
        return file.asarray()


def open_nifti(channel: str) -> np.ndarray:
    mask, image = nibabel.load("found/mask/a.nii.gz"), nibabel.load(channel)
    np.testing.assert_array_equal(mask.affine, image.affine)
    return np.asanyarray(mask.dataobj).transpose(2, 1, 0)


def open_nrrd() -> np.ndarray:
    mask, image = (SimpleITK.ReadImage(path) for path in ("found/mask/t1.nrrd", "scans/a/t1.nrrd"))
    assert mask.GetSpacing() == image.GetSpacing() == (1, 1, 2)
    assert mask.GetOrigin() == image.GetOrigin() == (10, -20, 30)
    assert mask.GetDirection() == image.GetDirection()
    return SimpleITK.GetArrayFromImage(mask)


def open_segmentation() -> np.ndarray:
    mask = highdicom.seg.segread("found/mask/a.dcm").get_volume(combine_segments=True)
    image = highdicom.get_volume_from_series([pydicom.dcmread(path) for path in Path("rt/images/a").iterdir()])
    np.testing.assert_allclose(mask.affine, image.affine)
    return mask.array


def open_array() -> np.ndarray:
    return np.load("found/mask/a.npy")


def open_coco() -> np.ndarray:
    found = COCO("found/coco.json")
    (image,) = (one["id"] for one in found.dataset["images"] if one["file_name"] == "a.png")
    return np.max([found.annToMask(one) for one in found.imgToAnns[image]], axis=0)


def open_polygons() -> np.ndarray:
    features = json.loads(Path("found/contours/a.geojson").read_text())["features"]
    regions = shapely.union_all([shapely.geometry.shape(one["geometry"]) for one in features])
    rows, columns = np.indices((HEIGHT, WIDTH)) + 0.5
    return shapely.contains_xy(regions, columns, rows).astype(np.uint8)


OPEN: dict[str, Callable[[], np.ndarray]] = {
    "fields/images": open_bands,
    "wells/images": lambda: open_ome("wells/images", "YX"),
    "stacks/images": lambda: open_ome("stacks/images", "ZYX"),
    "brain/imagesTr": lambda: open_nifti("brain/imagesTr/a_0000.nii.gz"),
    "tumours": lambda: open_nifti("unlabelled/a_t1.nii.gz"),
    "scans/*/t1.nrrd": open_nrrd,
    "rt/images": open_segmentation,
    "arrays/images": open_array,
    "coco/images": open_coco,
    "qupath/images": open_polygons,
}
"""Data sets whose predictions are no PNG → what opens the first by the format's own library, as (…, height, width)."""
SAVE = {"coco/images": "--save coco", "qupath/images": "--save contours"}


@pytest.fixture
def no_pages(monkeypatch) -> None:
    """Leave out the pages on a training and a test, a good part of their time, which nothing here looks at."""
    monkeypatch.setattr("segapp.callbacks.training_report.write_training_page", lambda *_: None)
    monkeypatch.setattr("segapp.callbacks.evaluation_report.write_page", lambda *_: None)


def check_prediction(mask: np.ndarray) -> None:
    """Check that every plane shows the box, of which half would lie elsewhere if it was turned or mirrored."""
    assert mask.dtype == np.uint8 and mask.shape in ((HEIGHT, WIDTH), (3, HEIGHT, WIDTH))
    found, box = mask > 0, make_mask() > 0
    assert ((found & box).sum((-1, -2)) > 0.8 * (found | box).sum((-1, -2))).all()


@pytest.mark.slow
@pytest.mark.usefixtures("no_figures", "without_curves", "no_pages")
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # a validation of one image is not what torch would advise
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools on NumPy 2
@pytest.mark.parametrize("command", CHECKS, ids=find_data)
def test_what_check_proposes_is_learnt_scored_and_predicted(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("segapp.planning.splitting.FEW", len(NAMES))  # so that there is a test
    data, run = find_data(command), Path("runs/mine/latest")
    model, images = f"--ckpt_path {run}/checkpoints/best.ckpt", PREDICTED.get(data, data)
    WRITE[data]()
    if data == "sources.yaml":
        (section,) = re.findall(r"```yaml\n(source:.*?)```", read_page("several-sources.md"), re.DOTALL)
        Path(data).write_text(section)
    Path("tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    for line in (
        command,
        "segapp fit --config tiny.yaml --data check/data.yaml",
        f"segapp test {model}",
        f"segapp predict {model} --images {images} --output found {SAVE.get(data, '')}",
    ):
        assert main(shlex.split(line)[1:]) == 0, capsys.readouterr().err
    if data != "sources.yaml":
        check_masks(len(NAMES))
    mask = OPEN.get(data, open_png)()
    check_prediction(mask)
    assert (run / "test-1/per_volume.csv").exists() == (mask.ndim == 3)
