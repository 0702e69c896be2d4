"""The loss of a validation does not depend on how its images are cut; what a resumed run goes on from."""

from collections import OrderedDict
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from segapp.callbacks import EMA
from segapp.errors import MisuseError
from segapp.losses import CrossEntropy, DeepSupervision, Lovasz
from segapp.training.module import SegmentationModule
from tests.training.per_pixel import SPEC, PerPixel


@pytest.mark.parametrize(
    ("verb", "callbacks", "expected"), [("fit", [], "raw"), ("fit", [EMA()], "average"), ("test", [], "average")]
)
def test_without_the_average_a_run_goes_on_from_the_raw_weights(verb: str, callbacks: Any, expected: str) -> None:
    """The optimiser's state is theirs."""
    module = SegmentationModule(PerPixel(), CrossEntropy(), spec=SPEC)
    trainer = SimpleNamespace(callbacks=callbacks, state=SimpleNamespace(fn=verb), ckpt_path="a.ckpt")
    module._trainer = cast(Any, trainer)
    checkpoint = {"state_dict": "average", "current_model_state": "raw"}
    module.on_load_checkpoint(checkpoint)
    assert checkpoint["state_dict"] == expected


def test_a_resumed_fit_in_python_removes_nothing_that_a_checkpoint_names() -> None:
    """Lightning removes whatever an address leads to, complete folders too."""
    module = SegmentationModule(PerPixel(), CrossEntropy(), spec=SPEC)
    trainer = SimpleNamespace(callbacks=[], state=SimpleNamespace(fn="fit"), ckpt_path="stranger.ckpt")
    module._trainer = cast(Any, trainer)
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
