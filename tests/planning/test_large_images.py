"""Images that are too few to divide are cut into blocks."""

import numpy as np
import pytest
import yaml

from segapp.planning.decisions import build_config
from segapp.planning.large_images import choose_blocks
from segapp.planning.source import describe_folder, describe_section
from tests.datasets.look_alikes import write_pair


@pytest.mark.parametrize(
    ("sizes", "side", "gap"),
    [
        ([(3000, 4000)], 1024, 64),
        ([(600, 800)], 256, 16),
        ([(384, 512)], 128, 8),
        ([(2000, 3000), (2000, 3000)], 1024, 64),
    ],
)
def test_blocks_are_as_large_as_leaves_enough_of_them(sizes, side, gap):
    (decision,) = choose_blocks(sizes)
    assert decision.value["class_path"] == "segapp.datasets.Blocks"
    assert decision.value["init_args"].items() >= {"size": side, "gap": gap}.items()
    assert f"{sizes[0][0]} x {sizes[0][1]}" in decision.reason


@pytest.mark.parametrize("sizes", [[(300, 380)], [(96, 96), (96, 96)]])
def test_small_images_are_not_cut(sizes):
    assert choose_blocks(sizes) == []


def test_folders_and_sections_of_one_large_image_are_divided(tmp_path):
    mask = np.zeros((384, 512), np.uint8)
    mask[:100] = 1
    write_pair(tmp_path, "scene", mask, mask)
    planned = build_config(describe_folder(str(tmp_path / "images"), str(tmp_path / "masks")))["data"]
    assert planned["source"]["init_args"]["split"]["init_args"]["size"] == 128
    del planned["source"]["init_args"]["split"]
    section = tmp_path / "data.yaml"
    section.write_text(yaml.safe_dump(planned))
    described = build_config(describe_section(section))["data"]
    assert described["source"]["init_args"]["split"]["init_args"]["size"] == 128
