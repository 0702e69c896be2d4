"""What a checkpoint or a run from elsewhere can make predict, export, landscape, compare and study do: nothing.

`tests/cli/test_checkpoint_settings.py` does the same for fit, validate and test.
"""

import sys
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segapp.checkpoints.building import build_network
from segapp.checkpoints.version import VERSION
from segapp.cli import main
from segapp.commands.export import _load
from segapp.errors import MisuseError
from segapp.inference.open import open_networks
from segapp.io import write_table
from segapp.lab.compare.runs import open_run, read_config
from segapp.lab.landscape.opening import LandscapeRequest, open_landscape
from segapp.lab.study.examples import write_examples
from segapp.loading.datamodule import SegmentationDataModule
from segapp.loading.source_building import build_source
from tests.cli import hostile

NET, SOURCE, LOSS = ("model", "net"), ("data", "source"), ("model", "loss")
ENCODER = (*NET, "init_args", "encoder")
IN_NETWORKS = (NET, ENCODER, (*ENCODER, "init_args", "block", "norm"), (*ENCODER, "init_args", "widths"))
IN_SOURCES = (SOURCE, (*SOURCE, "init_args", "root"), (*SOURCE, "init_args", "size"), (*SOURCE, "init_args", "x"))
IN_LOSSES = (LOSS, (*LOSS, "init_args", "weight"), ("data", "crop"), ("data", "batch_size"))

READS = {
    "predict": IN_NETWORKS,
    "export": IN_NETWORKS,
    "landscape": (*IN_NETWORKS, *IN_SOURCES, *IN_LOSSES),
    "compare": (*IN_NETWORKS, *IN_SOURCES),
    "study": (*IN_NETWORKS, *IN_SOURCES),
}
"""The places of a checkpoint's settings that each command reads, or of the config in a run's folder."""

OPEN: dict[str, Callable[[Path], Any]] = {
    "predict": lambda run: open_networks([run / "checkpoints/best.ckpt"]),
    "export": lambda run: _load(str(run / "checkpoints/best.ckpt"), []),
    "landscape": lambda run: open_landscape(
        LandscapeRequest(str(run / "checkpoints/best.ckpt"), None, "train", 1, 1, False)
    ),
    "compare": lambda run: open_run("a", run, read_config(run), "test", []),
    "study": lambda run: write_examples(run / "checkpoints/best.ckpt", [], run / "out", ["segapp.models.UNet"]),
}
"""What each command does with the file first, and last."""

COMMANDS = {
    "predict": ["--ckpt_path", "run/checkpoints/best.ckpt", "--images", "data/cells/test", "--output", "masks"],
    "export": ["--ckpt_path", "run/checkpoints/best.ckpt", "--format", "weights", "--output", "bundle"],
    "landscape": ["--ckpt_path", "run/checkpoints/best.ckpt", "--output", "surface"],
    "compare": ["run", "other"],
}


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> Path:
    """A checkpoint as `segapp fit` writes it, whose data lie beside it."""
    place = tmp_path_factory.mktemp("hostile")
    (place / "evil.py").write_text("open('ran', 'w').close()\nclass Evil: pass\ndef run(*_): pass\n")
    (place / "evil.yaml").write_text("class_path: evil.Evil\n")
    config = hostile.config()
    config["data"]["source"]["init_args"] |= {"train": 2, "val": 1, "test": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        data = SegmentationDataModule(build_source("here", config["data"]), crop=32)
        data.count_classes()  # draws them
        net = deepcopy(config["model"]["net"])
        net["init_args"] |= {"in_channels": data.channels, "num_classes": data.num_classes}
        made = build_network("here", net, [])
    weights = {f"net.{name}": value for name, value in made.state_dict().items()}
    record = {"version": VERSION, "spec": data.spec.to_dict(), "net": net, "config": config, "scores": {}}
    torch.save({"state_dict": weights, "segapp": record | {"splits": data.split_names()}}, place / "honest.ckpt")
    return place / "honest.ckpt"


@pytest.fixture(autouse=True)
def place(honest, monkeypatch):
    monkeypatch.chdir(honest.parent)
    monkeypatch.syspath_prepend(honest.parent)
    yield honest.parent
    sys.modules.pop("evil", None)


def write_run(honest: Path, value: Any = None, slot: tuple[str | int, ...] = (), name: str = "run") -> Path:
    """Write the folder of a run, a value planted in its config and in its checkpoint."""
    content = _read(honest)
    record = deepcopy(content["segapp"])
    if slot:
        _plant(record["config"], value, slot)
        if slot[:2] == NET:
            sizes = {name: record["net"]["init_args"][name] for name in ("in_channels", "num_classes")}
            record["net"] = deepcopy(record["config"]["model"]["net"])
            if slot != NET:
                record["net"]["init_args"] |= sizes
    run = Path(name)
    (run / "checkpoints").mkdir(parents=True, exist_ok=True)
    torch.save(content | {"segapp": record}, run / "checkpoints/best.ckpt")
    (run / "config.yaml").write_text(yaml.safe_dump(record["config"]))
    (run / "test-1").mkdir(exist_ok=True)
    (run / "test-1/metrics.json").write_text("{}")
    write_table(run / "test-1/per_image.csv", ["name", "dice"], [["test/images/cells_0000", 0.5]])
    return run


@cache
def _read(honest: Path) -> dict[str, Any]:
    return torch.load(honest, weights_only=True)


def _plant(config: Any, value: Any, slot: tuple[str | int, ...]) -> None:
    for key in slot[:-1]:
        config = config.setdefault(key, {})
    config[slot[-1]] = value


def require_nothing_ran(place: Path) -> None:
    assert "evil" not in sys.modules
    assert not (place / hostile.MARK).exists()


@pytest.mark.parametrize("command", OPEN)
def test_an_honest_file_is_opened(command, honest):
    OPEN[command](write_run(honest))


@pytest.mark.parametrize("command", OPEN)
def test_no_gadget_stands_in_any_place_that_is_read(command, honest, place):
    """Every place refuses gadgets; every gadget is refused by `predict`, whose places are read by all."""
    gadgets, slots = list(hostile.GADGETS.items()), READS[command]
    first = 13 * list(OPEN).index(command)  # others for each command
    count = len(gadgets) if command == "predict" else len(slots)
    with hostile.watched() as seen:
        for number in range(count):
            gadget, arguments = gadgets[(first + number) % len(gadgets)]
            made = {"class_path": gadget, "init_args": arguments}
            value = (made, [made], {"a": made})[number % 3]
            with pytest.raises(MisuseError):
                OPEN[command](write_run(honest, value, slots[number % len(slots)]))
    assert not seen
    require_nothing_ran(place)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("slot", [NET, ENCODER], ids=["network", "encoder"])
def test_a_command_ends_in_one_message_and_writes_nothing(command, slot, honest, place, capsys):
    gadget = next(iter(hostile.GADGETS))
    write_run(honest, {"class_path": gadget, "init_args": hostile.GADGETS[gadget]}, slot)
    write_run(honest, name="other")
    before = {path for path in place.rglob("*") if "__pycache__" not in path.parts}
    with hostile.watched() as seen:
        assert main([command, *COMMANDS[command]]) == 2
    error = capsys.readouterr().err
    assert gadget in error and "Traceback" not in error
    assert {path for path in place.rglob("*") if "__pycache__" not in path.parts} == before
    assert not seen
    require_nothing_ran(place)


@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=pytest.mark.slow if name in ("landscape", "study") else ()) for name in OPEN]
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=hostile.values(), choice=st.integers(0, 100))
def test_whatever_stands_wherever_nothing_runs(command, honest, place, value, choice):
    """It is refused, or does nothing but what an honest file could do."""
    slot = READS[command][choice % len(READS[command])]
    with hostile.watched() as seen:
        try:
            OPEN[command](write_run(honest, value, slot))
        except MisuseError as error:
            assert "\n" not in str(error)
    assert not seen
    require_nothing_ran(place)
