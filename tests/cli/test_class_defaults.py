"""A class has its own defaults, wherever another one is the default of its parameter."""

from collections.abc import Callable, Mapping

import pytest

from segapp.cli.class_defaults import takes_mapping, write_out_defaults


class Encoder:
    """Something made from a number of channels."""


class Plain(Encoder):
    def __init__(self, channels: int, norm: str = "batch", depth: int = 4) -> None: ...


class Group(Encoder):
    def __init__(self, channels: int, norm: str = "group", size: int = 3) -> None: ...


class Net:
    def __init__(
        self, colours: Mapping[str, int], encoder: Callable[[int], Encoder] = Plain, depth: int = 4
    ) -> None: ...


def name(kind: type) -> str:
    return f"{__name__}.{kind.__name__}"


def test_the_defaults_of_another_class_are_written_out():
    net = {"class_path": name(Net), "init_args": {"encoder": {"class_path": name(Group), "init_args": {"size": 5}}}}
    (found,) = write_out_defaults({"parts": [net]}, "nowhere.Holder")["parts"]
    assert found["init_args"]["encoder"]["init_args"] == {"size": 5, "norm": "group"}


def test_what_is_set_stays():
    encoder = {"class_path": name(Group), "init_args": {"norm": "none"}}
    assert write_out_defaults({"encoder": encoder}, name(Net)) == {"encoder": encoder}


@pytest.mark.parametrize("value", ["SGD", {"class_path": "SGD"}, {"class_path": "torch.optim.SGD"}], ids=str)
def test_another_optimiser_does_not_decay_weights_as_the_default_does(value):
    found = write_out_defaults({"optimizer": value}, "segapp.training.module.SegmentationModule")
    assert found["optimizer"]["class_path"] == "torch.optim.SGD"
    assert found["optimizer"]["init_args"]["weight_decay"] == 0


def test_a_class_that_cannot_be_imported_is_left_to_the_parser():
    arguments = {"encoder": {"class_path": "nowhere.Encoder"}}
    assert write_out_defaults(arguments, name(Net)) == arguments


def test_mappings_are_known_by_their_type():
    assert takes_mapping(name(Net), "colours")
    assert takes_mapping("segapp.datasets.Indices", "values")
    assert not takes_mapping(name(Net), "encoder")
    assert not takes_mapping(name(Net), "unknown")
    assert not takes_mapping("nowhere.Net", "colours")
