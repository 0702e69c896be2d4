"""Which networks suit the data."""

from dataclasses import replace

import pytest

from segapp.errors import MisuseError
from segapp.planning.network import list_networks
from segapp.planning.sizes import choose_sizes
from tests.planning.fingerprints import facts, fingerprint


@pytest.mark.parametrize(
    ("mean", "dtype", "count", "expected"),
    [
        ((0.4, 0.5, 0.6), "uint8", 100, "SmpEncoder"),
        ((0.4, 0.5, 0.6), "uint8", 5000, "PlainEncoder"),
        ((0.4, 0.5, 0.6), "float32", 100, "PlainEncoder"),
        ((0.5,), "uint8", 100, "PlainEncoder"),
    ],
)
def test_photographs_start_from_weights(monkeypatch, mean, dtype, count, expected):
    monkeypatch.setattr("segapp.planning.network.find_package", lambda: None)
    one = fingerprint(facts("a", mean=mean, dtype=dtype))
    network = list_networks(one, choose_sizes(one, "cpu"), count, "cpu")[0]
    assert network.settings["init_args"]["encoder"]["class_path"].endswith(expected)
    assert not network.advice


def test_without_the_package_a_plan_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("segapp.planning.network.find_package", _raise_missing)
    one = fingerprint(facts("a", mean=(0.4, 0.5, 0.6)))
    network = list_networks(one, choose_sizes(one, "cpu"), 100, "cpu")[0]
    assert "segapp[pretrained]" in network.advice and network.advice in network.reason


def _raise_missing():
    raise MisuseError("not installed")


@pytest.mark.parametrize(
    ("levels", "batch", "norm", "deep", "widths"),
    [
        (4, 8, "batch", 0, [16, 32, 64, 128]),
        (6, 2, "instance", 2, [16, 32, 64, 128, 256, 256]),
    ],
)
def test_a_network_follows_from_levels_and_batch(levels, batch, norm, deep, widths):
    one = fingerprint(facts("a"))
    geometry = replace(choose_sizes(one, "cpu"), levels=levels, batch_size=batch)
    wide, narrow = list_networks(one, geometry, 100, "cpu")
    settings = narrow.settings["init_args"]
    assert settings["encoder"]["init_args"] == {"widths": widths, "block": {"short_skip": "add", "norm": norm}}
    assert settings["deep_supervision"] == narrow.deep_supervision == deep
    assert wide.settings["init_args"]["encoder"]["init_args"]["widths"][0] == 32
    assert narrow.decide()[0].setting == "model.net.class_path"
    assert narrow.decide("More.")[0].reason.endswith("More.")
