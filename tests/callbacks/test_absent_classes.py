"""Classes without a pixel are reported once, from counts or from the samples of the first epoch."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from segapp.callbacks import AbsentClasses

CLASSES = ("ground", "cell", "border")


def report(classes=CLASSES, counts=None, masks=(), step=0, others=None) -> None:
    """Run a first epoch of batches with these masks; `others` is what other processes saw."""

    def reduce(seen, reduce_op):
        assert reduce_op == "sum"
        return seen if others is None else seen + others

    trainer = SimpleNamespace(
        global_step=step,
        is_global_zero=True,
        datamodule=SimpleNamespace(get_known_counts=lambda: None if counts is None else np.array(counts)),
        strategy=SimpleNamespace(reduce=reduce),
    )
    module = SimpleNamespace(spec=SimpleNamespace(classes=classes), device=torch.device("cpu"))
    callback = AbsentClasses()
    callback.on_train_start(trainer, module)
    for index, mask in enumerate(masks):
        callback.on_train_batch_end(trainer, module, None, {"mask": torch.tensor(mask)}, index)
    callback.on_train_epoch_end(trainer, module)
    callback.on_train_epoch_end(trainer, module)


@pytest.mark.parametrize(
    "given",
    [{"counts": [5, 0, 3]}, {"masks": [[[[0, 255]]], [[[2, 2]]]]}],
    ids=["counts", "samples"],
)
def test_the_class_without_a_pixel_is_named_once(given, capsys) -> None:
    report(**given)
    told = capsys.readouterr().err
    assert told.count("cell (1)") == told.count("note:") == 1
    assert "ground" not in told and "border" not in told


def test_a_class_that_another_process_saw_occurs(capsys) -> None:
    others = torch.zeros(256)
    others[1] = 1
    report(masks=[[[[0, 2]]]], others=others)
    assert not capsys.readouterr().err


@pytest.mark.parametrize("given", [{"counts": [5, 0, 3], "step": 7}, {"masks": [[[[0]]]], "step": 7}], ids=str)
def test_a_resumed_run_reports_nothing(given, capsys) -> None:
    report(**given)
    assert not capsys.readouterr().err


def test_a_long_list_is_shortened(capsys) -> None:
    report(classes=tuple(f"c{index}" for index in range(13)), counts=[1] + [0] * 12)
    told = capsys.readouterr().err
    assert "c10 (10) and 2 more" in told and "c11" not in told
