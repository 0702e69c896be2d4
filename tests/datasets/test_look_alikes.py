"""Every fragment in configs/data reads a set of the layout that it is for."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from jsonargparse import ArgumentParser

from segapp.loading.datamodule import SegmentationDataModule
from tests.datasets.look_alikes import DRAW, write

CONFIGS = Path(__file__).parents[2] / "configs" / "data"


def data_module(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> SegmentationDataModule:
    """What the fragment configures, on a look-alike."""
    write(name, root / "data")
    monkeypatch.chdir(root)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(SegmentationDataModule, "data_module")
    section = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    parsed = parser.parse_object({"data_module": section})
    return parser.instantiate(parsed).data_module


@pytest.mark.parametrize("name", DRAW)
def test_a_fragment_reads_its_set(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_module(name, tmp_path, monkeypatch)
    assert all(data.split_names().values()), "a split is empty"
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape[1] == data.channels
    assert set(np.unique(batch["mask"])) <= {*range(data.num_classes), 255}
    assert (data.count_classes() > 0).all()
    assert len(list(data.val_dataloader())) == len(data.split_names()["val"])


def test_every_fragment_has_a_look_alike() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == set(DRAW)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_fragment_opens_with_its_command(path: Path) -> None:
    command = path.read_text().splitlines()[0]
    assert command == f"# segapp fit --config configs/unet.yaml --data configs/data/{path.name}"


def test_em_masks_become_classes_and_slices_stay_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = data_module("isbi2012_em", tmp_path, monkeypatch).split_names()
    assert names == {"train": list("01234567"), "val": ["8", "9"], "test": ["10", "11"]}


def test_camvid_void_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_module("camvid", tmp_path, monkeypatch)
    mask = data.source.items("val")[0].mask
    assert mask is not None
    assert (mask.read()[:4] == 255).all()
    assert data.count_classes().shape == (11,)
    assert data.split_names()["val"] == [f"val/000{i}_val" for i in range(4)]


def test_touching_nuclei_get_a_border_and_alpha_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_module("dsb2018_nuclei", tmp_path, monkeypatch)
    item = data.source.items("train")[0]
    assert item.mask is not None
    expected = np.zeros(item.mask.shape, np.uint8)
    expected[8:20, 8:32] = 1
    expected[40:52, 30:42] = 1
    expected[8:20, 19:21] = 2
    np.testing.assert_array_equal(item.mask.read(), expected)
    assert item.image.read().shape[2] == 3


def test_images_of_a_patient_stay_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_module("covid_cxr_lungs", tmp_path, monkeypatch)
    names = data.split_names()
    homes = {split for split in names for name in names[split] if name.startswith("pneumococcal")}
    assert len(homes) == 1
    assert "pneumocystis-pneumonia-2-PA" not in [name for split in names.values() for name in split]


def test_palette_masks_keep_their_indices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_module("concrete_damage_voc", tmp_path, monkeypatch)
    values = {int(v) for item in data.source.items("train") for v in np.unique(item.mask.read())}  # type: ignore[union-attr]
    assert values == {0, 1, 2}
