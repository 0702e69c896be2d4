"""What a checkpoint's settings may name."""

import inspect
from dataclasses import is_dataclass
from typing import get_args, get_type_hints

import jsonargparse
import pytest
from jsonargparse import _common

from segapp import callbacks, datasets, losses, models, transforms
from segapp.checkpoints.roles import LOGGER, SOURCE
from segapp.checkpoints.trust import RECORDS, _is_computed, check_class_paths, limited_imports
from segapp.errors import MisuseError


def test_the_settings_of_a_run_pass():
    check_class_paths(
        {
            "model": {
                "net": {"class_path": "segapp.models.UNet", "init_args": {"encoder": {"class_path": "torch.nn.ReLU"}}},
                "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 1e-3}},
            },
            "data": {
                "augment": [{"class_path": "albumentations.RandomGamma"}, None, 3, 0.5, True],
                "source": {"class_path": "segapp.datasets.Folder", "init_args": {"val": "test.txt", "root": "os.d/x"}},
            },
            "trainer": {"callbacks": [{"class_path": "lightning.pytorch.callbacks.EarlyStopping"}]},
        }
    )


def test_what_the_user_named_passes_and_nothing_beside_it():
    check_class_paths({"class_path": "mine.nets.Net"}, ["mine.nets.Net"])
    check_class_paths({"class_path": "mine.nets.Net"}, ["mine"])
    for path in ("mine.nets.Network", "mine.Net", "mine2.nets.Net"):
        with pytest.raises(MisuseError, match="from outside segapp"):
            check_class_paths({"class_path": path}, ["mine.nets.Net"])


@pytest.mark.parametrize(
    "config",
    [
        {"a": [{"b": {"class_path": "os.system"}}]},
        {"a": ("x", {"class_path": "os.system"})},
        {"a": "class_path: os.system"},
        {"a.class_path": "os.system"},
        {"a": {"dict_kwargs": {}}},
        {"_instantiator": "lightning.pytorch.cli.instantiate_module"},
        {"class_path": "torch.nn.ReLU", "init_args": {}, "more": 1},
        {"class_path": "torch.utils.__main__.X"},
    ],
    ids=str,
)
def test_what_would_choose_code_is_refused(config):
    with pytest.raises(MisuseError):
        check_class_paths(config)


def test_imports_are_limited_for_a_while_only():
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--call", type=type(len))
    before = dict(_common.parsing_settings)
    with limited_imports(["mine"]):
        for path, free in (("torch.nn.ReLU", False), ("mine.x", True), ("json.loads", False)):
            assert (_common.denying_import_path_entry(path) is None) == free
    assert _common.parsing_settings == before


def test_the_records_that_classes_take_may_be_imported():
    def find_records(kind):
        inner = [record for part in get_args(kind) for record in find_records(part)]
        return [kind, *inner] if is_dataclass(kind) else inner

    classes = [one for module in (callbacks, datasets, losses, models, transforms) for one in vars(module).values()]
    found = {
        f"{record.__module__}.{record.__qualname__}"
        for one in classes
        if inspect.isclass(one) and one.__module__.startswith("segapp.")
        for kind in get_type_hints(one.__init__).values()
        for record in find_records(kind)
    }
    assert "segapp.spec.Intensity" in found and found <= set(RECORDS)


@pytest.mark.parametrize(
    "name",
    [
        "{epoch].__repr__.__globals__[torch].os.environ[HOME}/best",
        "{epoch:>4000000000}",
        "{epoch.__class__}",
        ".$EMPTY./.$EMPTY./elsewhere",
        "{step:c}{step:c}/home/model",  # at step 46 two dots
        "{epoch!r}",
        "{epoch:{step}}",
        "{epoch",
    ],
)
def test_text_that_a_library_makes_another_text_of_is_no_name_of_a_file(name: str) -> None:
    assert _is_computed(name, LOGGER)
    for plain in ("{epoch}-{val/loss:.2f}", "{step:06d}", "best", "{}"):
        assert not _is_computed(plain, LOGGER)
    assert not _is_computed("cells_{name}.png", SOURCE) and not _is_computed("price in $", SOURCE)
