"""Axis and slices of volumes."""

import numpy as np
import pytest

from segapp.datasets.masks.encoding import FoundImage
from segapp.datasets.volume_slices import expand_volumes
from segapp.planning.volumes import choose_axis, choose_slices, find_volumes
from tests.io.volumes import write_nifti


@pytest.fixture
def make(tmp_path):
    def make_volumes(*spacings):
        images = []
        for number, spacing in enumerate(spacings):
            path = write_nifti(tmp_path / f"{number}.nii.gz", np.zeros((9, 8, 12), np.uint8), spacing=spacing)
            images.append(FoundImage(path, str(number), str(number), None))
        return find_volumes(list(expand_volumes(images, "auto")))

    return make_volumes


def test_slices_are_grouped_by_volume_and_some_are_chosen_evenly(make):
    volumes = make((1, 1, 1), (1, 1, 3))
    assert {name: len(slices) for name, slices in volumes.items()} == {"0": 12, "1": 12}
    assert [image.part for image in choose_slices(volumes)] == ["axial=03", "axial=06", "axial=09"] * 2
    assert find_volumes([FoundImage(next(iter(volumes.values()))[0].path, "a", "a", None)]) == {}


def test_the_axis_is_written_where_all_volumes_have_one(make):
    axis, neighbours = choose_axis(make((1, 1, 3), (1, 1, 2)))
    assert (axis.value, neighbours.value) == ("axial", 0)
    assert "1 x 1 x 2.5 mm" in axis.reason and "1.5" in axis.reason
    (axis, _) = choose_axis(make((1, 1, 3), (1, 4, 1)))
    assert axis.value == "auto" and "axial" in axis.reason and "coronal" in axis.reason
