"""Networks are measured, and made equally large, without memory."""

from functools import partial

import pytest
import yaml

from segapp.errors import MisuseError
from segapp.lab.study import sizes
from segapp.lab.study.sizes import measure_size
from segapp.loading.source_building import build_source
from segapp.models import PlainEncoder, UNet, count_params
from tests.lab.study.planned import plan


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_sizes_are_those_of_the_network():
    job = plan()[0]
    net = UNet(1, 2, encoder=partial(PlainEncoder, widths=(8, 16)))
    assert job.facts["parameters"] == count_params(net)
    assert job.facts["image"] == (1, 32, 16)


def test_flops_by_hand():
    """One level of width 4 without pooling: two 3×3 convolutions and the 1×1 head on 10×6 pixels."""
    net = {
        "class_path": "segapp.models.UNet",
        "init_args": {
            "encoder": {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [4]}},
            "decoder_widths": [],
        },
    }
    data = {"source": {"class_path": "segapp.datasets.Cells", "init_args": {"root": "cells"}}, "crop": [10, 6]}
    size = measure_size("here", {"model": {"net": net}, "data": data}, build_source("here", data))
    assert size.flops == 2 * 60 * (1 * 4 * 9 + 4 * 4 * 9 + 4 * 2)


@pytest.mark.slow
def test_matched_widths_are_written_into_the_configs():
    jobs = plan(match_params={"target": "long_skip=concat", "tolerance": 0.05})
    reference, matched = jobs[0].facts["parameters"], jobs[1].facts["parameters"]
    assert abs(matched - reference) <= 0.05 * reference
    widths = [yaml.safe_load((job.folder / "config.yaml").read_text()) for job in jobs[:2]]
    found = [w["model"]["net"]["init_args"]["encoder"]["init_args"]["widths"] for w in widths]
    assert found[0] == [8, 16]
    assert found[1] != [8, 16]


@pytest.mark.slow
def test_matched_widths_are_found_once(monkeypatch):
    matching = {"target": "long_skip=concat", "tolerance": 0.05}
    first = plan(match_params=matching)
    monkeypatch.setattr(sizes, "match_params", None)
    assert plan(match_params=matching) == first


@pytest.mark.parametrize(
    ("data", "sides"),
    [
        ({"crop": 24}, (24, 24)),
        ({"crop": None, "resize": [16, 32], "window": 64}, (16, 32)),
        ({"window": [40, 48]}, (40, 48)),
        ({}, (512, 512)),
    ],
)
def test_operations_are_counted_for_the_image_that_training_sees(data, sides):
    net = {"class_path": "segapp.models.UNet", "init_args": {"encoder": {"class_path": "segapp.models.PlainEncoder"}}}
    source = {"class_path": "segapp.datasets.Cells", "init_args": {"root": "cells"}}
    config = {"model": {"net": net}, "data": {"source": source, **data}}
    assert measure_size("here", config, build_source("here", config["data"])).image == (1, *sides)


def test_widths_to_match_must_be_a_list():
    with pytest.raises(MisuseError, match="match_params"):
        plan(match_params={"target": 1000, "widths": "model.net.init_args.long_skip"})
