"""The loss of a validation does not depend on how its images are cut; what a resumed run goes on from."""

from collections import OrderedDict
from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from segapp.callbacks import EMA
from segapp.errors import MisuseError
from segapp.losses import CrossEntropy, DeepSupervision, Lovasz
from segapp.training.module import SegmentationModule
from tests.training.per_pixel import SPEC, PerPixel


def make_trainer(verb: str, callbacks: list[Any], ckpt_path: str = "a.ckpt") -> Any:
    """Return what a module asks a trainer for when a checkpoint is restored."""
    state = SimpleNamespace(fn=verb)
    return SimpleNamespace(callbacks=callbacks, state=state, ckpt_path=ckpt_path, default_root_dir="runs")


@pytest.mark.parametrize(
    ("verb", "callbacks", "expected"), [("fit", [], "raw"), ("fit", [EMA()], "average"), ("test", [], "average")]
)
def test_without_the_average_a_run_goes_on_from_the_raw_weights(verb: str, callbacks: Any, expected: str) -> None:
    """The optimiser's state is theirs."""
    module = SegmentationModule(PerPixel(), CrossEntropy(), spec=SPEC)
    module._trainer = make_trainer(verb, callbacks)
    checkpoint = {"state_dict": "average", "current_model_state": "raw"}
    module.on_load_checkpoint(checkpoint)
    assert checkpoint["state_dict"] == expected


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
def test_no_method_of_a_trainer_restores_the_paths_that_a_stranger_names(verb: str, tmp_path: Path) -> None:
    """Lightning removes whatever they lead to, complete folders too, in this training or in the next one."""
    module = SegmentationModule(PerPixel(), CrossEntropy(), spec=SPEC)
    folder = tmp_path / "kept"
    kept = {"ModelCheckpoint": {"best_model_path": f"{folder}/best.ckpt", "best_k_models": {}}}
    module._trainer = make_trainer(verb, [ModelCheckpoint(folder)], ckpt_path="other/stranger.ckpt")
    stranger: dict[str, Any] = {"state_dict": {}, "callbacks": deepcopy(kept)}
    module.on_load_checkpoint(stranger)
    assert stranger["callbacks"] == kept
    stranger["callbacks"]["ModelCheckpoint"]["best_model_path"] = f"{folder}/../home"
    module.on_load_checkpoint(stranger)
    assert stranger["callbacks"]["ModelCheckpoint"]["best_model_path"] == ""


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
def test_no_method_of_a_trainer_restores_what_is_no_state(verb: str) -> None:
    """Lightning removes whatever an address leads to, complete folders too."""
    module = SegmentationModule(PerPixel(), CrossEntropy(), spec=SPEC)
    module._trainer = make_trainer(verb, [], ckpt_path="stranger.ckpt")
    states = {"ModelCheckpoint": {"best_model_path": "local:///home"}}
    with pytest.raises(MisuseError, match=r"stranger\.ckpt: a damaged checkpoint"):
        module.on_load_checkpoint({"state_dict": {}, "callbacks": states})
    hidden = OrderedDict(states)
    hidden.items = hidden.values = list  # type: ignore[assignment, method-assign]
    with pytest.raises(MisuseError, match=r"stranger\.ckpt: holds mappings with methods"):
        module.on_load_checkpoint({"state_dict": {}, "callbacks": hidden})


@pytest.mark.parametrize(
    ("batches", "together", "factors"), [(5, 2, [1, 1, 1, 1, 2]), (4, 2, [1] * 4), (2, 3, [1.5] * 2), (3, 1, [1] * 3)]
)
def test_the_last_step_of_an_epoch_is_the_mean_of_the_batches_it_has(batches: int, together: int, factors: Any) -> None:
    module = SegmentationModule(PerPixel(), CrossEntropy(), spec=SPEC)
    module._trainer = cast(Any, SimpleNamespace(num_training_batches=batches, accumulate_grad_batches=together))
    assert [module._compute_partial_factor(index) for index in range(batches)] == factors


@pytest.mark.parametrize(("processes", "refused"), [(1, False), (2, True)])
def test_a_loss_that_sorts_the_whole_batch_is_refused_where_no_process_has_it(processes: int, refused: bool) -> None:
    module = SegmentationModule(PerPixel(), DeepSupervision(Lovasz("batch")), spec=SPEC)
    module._trainer = cast(Any, SimpleNamespace(world_size=processes, precision="32-true"))
    with pytest.raises(MisuseError, match="reduce image") if refused else nullcontext():
        module.setup("fit")


def test_calling_the_module_calls_the_network() -> None:
    module = SegmentationModule(PerPixel(), CrossEntropy(), spec=SPEC)
    images = torch.rand(2, 1, 4, 4)
    assert torch.equal(module(images), module.net(images))
