"""Files of one modality each beside their mask are the channels of an image."""

from pathlib import Path

import numpy as np
import pytest

from segapp.planning.decisions import build_config
from segapp.planning.layout_modalities import recognise_modalities
from segapp.planning.source import build_planned_source, describe_folder
from tests.io.volumes import write_nifti

TUMOUR = np.zeros((8, 10, 3), np.uint8)
TUMOUR[2:6, 2:6] = 1


@pytest.mark.parametrize("mark", ["_", "-"])
def test_every_modality_is_a_channel(tmp_path: Path, mark: str) -> None:
    """Formerly the first of them alone was the image."""
    for case in ("Case_001", "Case_002", "Case_003", "Case_004"):
        (tmp_path / "set" / case).mkdir(parents=True)
        for number, modality in enumerate(("flair", "t1", "t1ce", "t2")):
            values = np.full((8, 10, 3), number, np.int16)
            write_nifti(tmp_path / f"set/{case}/{case}{mark}{modality}.nii.gz", values, spacing=(1, 1, 2))
        write_nifti(tmp_path / f"set/{case}/{case}{mark}seg.nii.gz", TUMOUR, spacing=(1, 1, 2))
    decisions = describe_folder(str(tmp_path / "set"), str(tmp_path / "set"))
    settings = build_config(decisions)["data"]["source"]["init_args"]
    assert settings["channel_files"] == [f"{{name}}{mark}{modality}" for modality in ("flair", "t1", "t1ce", "t2")]
    source = build_planned_source(decisions)
    (item,) = source.select(source.item_names()[4:5])
    assert item.name.startswith("Case_002/Case_002/")
    assert item.image.shape == (10, 8, 4) and item.mask.read().sum() == 16


@pytest.mark.parametrize(
    "names",
    [
        "a_t1 a_t2 b_t1 b_t2",
        "a_t1 a_seg b_t1 b_seg",
        "a_t1 a_t2 a_seg b_t1 b_seg",
        "a_frame01 a_frame12 a_seg b_frame01 b_frame12 b_seg",
        "flat1 flat2 flat1_seg flat2_seg",
    ],
)
def test_other_files_are_no_channels(names: str) -> None:
    assert recognise_modalities([Path(f"{name}.nii.gz") for name in names.split()]) == ()
