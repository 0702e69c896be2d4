"""Which classes a checkpoint may name."""

import collections

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, LambdaCallback
from torch import nn

from segapp import callbacks, datasets, losses, models
from segapp.checkpoints.roles import (
    CALLBACK,
    ENCODING,
    IMPORTABLE_MODULES,
    LOSS,
    NETWORK,
    OPTIMIZER,
    ROLES,
    SOURCE,
    SPLIT,
    find_class,
    find_roles,
    has_role,
    is_below,
)
from segapp.errors import MisuseError


class Mine(nn.Module):
    """A network from elsewhere."""


@pytest.mark.parametrize(
    ("found", "role", "may"),
    [
        (models.UNet, NETWORK, True),
        (nn.ReLU, NETWORK, False),  # no network that segments
        (Mine, NETWORK, False),
        (losses.DiceCrossEntropy, LOSS, True),
        (nn.CrossEntropyLoss, LOSS, True),
        (nn.ReLU, LOSS, False),  # a module that is no loss
        (models.UNet, LOSS, False),
        (torch.optim.SGD, OPTIMIZER, True),
        (datasets.Folder, SOURCE, True),
        (datasets.Folder, SPLIT, False),
        (datasets.Indices, ENCODING, True),
        (callbacks.EMA, CALLBACK, True),
        (EarlyStopping, CALLBACK, True),
        (LambdaCallback, CALLBACK, False),  # calls whatever it is given
        (collections.OrderedDict, NETWORK, False),
    ],
)
def test_a_class_plays_a_role_by_its_home_and_its_ancestors(found, role, may):
    assert has_role(found, role) is may


def test_the_role_of_a_parameter_follows_from_its_class():
    assert list(find_roles(datasets.Source)) == [SOURCE]
    assert list(find_roles(torch.optim.Optimizer)) == [OPTIMIZER]
    assert list(find_roles(NETWORK)) == [NETWORK]
    assert list(find_roles(nn.Module)) == [NETWORK, LOSS]
    assert [list(find_roles(kind)) for kind in (object, int, "text", list[int])] == [[]] * 4


def test_a_path_lies_below_a_module_by_whole_names():
    assert is_below("torch.nn", ("torch.nn",)) and is_below("torch.nn.modules.X", ("os", "torch.nn"))
    assert not is_below("torch.nnx.X", ("torch.nn",)) and not is_below("torch", ("torch.nn",))


@pytest.mark.parametrize(
    "path", ["segapp.models.nothing.X", "segapp.models.Nothing", "segapp.models.unet", "json.loads"]
)
def test_a_path_without_a_class_is_refused_by_name(path):
    with pytest.raises(MisuseError, match=path.replace(".", r"\.")):
        find_class(path)


def test_every_base_exists_and_lies_in_no_open_room():
    for role in ROLES:
        assert all(isinstance(find_class(base), type) for base in (*role.bases, *role.allowed_classes))
    assert not any(
        is_below(path, IMPORTABLE_MODULES) for path in ("os.system", "builtins.eval", "torch.load", "torch.hub.load")
    )
