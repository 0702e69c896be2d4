"""Data sections that say how the masks of a folder are written."""

import pytest

from segapp.errors import MisuseError
from segapp.planning.mask_section import read_mask_section

SECTION = "source: {class_path: segapp.datasets.Folder, init_args: {root: d, classes: [a, b], REST}}"


def test_a_section_says_how_masks_are_written(tmp_path):
    path = tmp_path / "data.yaml"
    path.write_text(SECTION.replace("REST", "mask: {class_path: segapp.datasets.Indices, init_args: {values: {9: 1}}}"))
    source, encoding = read_mask_section(str(path))
    assert source.classes == ("a", "b") and encoding.values == {9: 1}


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ("looked_for: [b]", "looked_for"),
        ("mask: {class_path: segapp.datasets.Instances}", "Instances"),
        ("mask: {class_path: segapp.datasets.Coco}", "Coco"),
    ],
)
def test_masks_that_are_not_one_file_for_each_image_are_refused(tmp_path, rest, found):
    path = tmp_path / "data.yaml"
    path.write_text(SECTION.replace("REST", rest))
    with pytest.raises(MisuseError, match=found):
        read_mask_section(str(path))
