"""The gradient of a batch that processes share is that of the whole batch in one process."""

import multiprocessing
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from segapp.batch import IGNORE_INDEX
from segapp.losses import (
    CrossEntropy,
    DeepSupervision,
    Dice,
    DiceCrossEntropy,
    Focal,
    Lovasz,
    PartialLabels,
    Tversky,
)
from segapp.losses.distributed import share_batch, sum_over_processes
from segapp.models import BlockStyle, PlainEncoder, UNet

SHARES = {1: [8], 2: [4, 4], 3: [3, 3, 2]}
LOSSES = {
    "cross-entropy": CrossEntropy(),
    "weighted and smoothed cross-entropy": CrossEntropy([0.2, 1.0, 3.0], label_smoothing=0.1),
    "focal": Focal(class_weights=[1.0, 2.0, 0.5]),
    "dice of the batch": Dice("batch"),
    "dice of images": Dice("image", background=0),
    "tversky": Tversky(0.3, 0.7),
    "dice + cross-entropy": DiceCrossEntropy(),
    "lovasz of images": Lovasz("image"),
    "deep supervision": DeepSupervision(DiceCrossEntropy("image")),
    "partial dice of the batch": Dice("batch"),
    "partial cross-entropy": CrossEntropy([0.2, 1.0, 3.0], label_smoothing=0.1),
}


def batch() -> tuple[Tensor, Tensor]:
    """8 images, with ignored pixels that lie unevenly: all of the first three images, half of the fourth."""
    torch.manual_seed(1)
    images, mask = torch.rand(8, 1, 16, 16, dtype=torch.float64), torch.randint(0, 3, (8, 16, 16))
    mask[:3], mask[3, :8], mask[6, 3] = IGNORE_INDEX, IGNORE_INDEX, IGNORE_INDEX
    return images, mask


def leave_class_out(mask: Tensor, start: int) -> tuple[Tensor, list[PartialLabels]]:
    """In the images from the sixth on class 2 was not looked for; processes without such an image have no labels."""
    partial = torch.arange(start, start + len(mask)) >= 5
    looked_for = torch.stack([torch.tensor([True, True, not one]) for one in partial])
    mask = torch.where(partial[:, None, None] & (mask == 2), 0, mask)
    return mask, [PartialLabels(looked_for, 0)] if partial.any() else []


def network(deep: bool) -> nn.Module:
    torch.manual_seed(0)
    encoder = partial(PlainEncoder, widths=[4, 8, 8], block=BlockStyle(norm="group"))
    return UNet(1, 3, encoder=encoder, deep_supervision=1 if deep else 0).double()


def gradients(rank: int, processes: int, store: str) -> dict[str, tuple[float, list[Tensor]]]:
    """Every loss and its gradient, from this process's share of the batch."""
    distributed.init_process_group("gloo", f"file://{store}", rank=rank, world_size=processes)
    start = sum(SHARES[processes][:rank])
    images, mask = (part[start : start + SHARES[processes][rank]] for part in batch())
    found = {}
    for name, loss in LOSSES.items():
        net = DistributedDataParallel(network(isinstance(loss, DeepSupervision)))
        with share_batch():
            own, labels = leave_class_out(mask, start) if name.startswith("partial") else (mask, [])
            value = loss(net(images), own, *labels)
        value.backward()
        found[name] = (value.item(), [parameter.grad for parameter in net.parameters()])
    distributed.destroy_process_group()
    return found


def worker(rank: int, processes: int, folder: Path) -> None:
    torch.set_num_threads(1)
    torch.save(gradients(rank, processes, str(folder / f"store{processes}")), folder / f"{processes}-{rank}.pt")


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[tuple[int, int], dict]:
    """By number of processes and rank."""
    folder, fork = tmp_path_factory.mktemp("gradients"), multiprocessing.get_context("fork")
    members = [(processes, rank) for processes in SHARES for rank in range(processes)]
    started = [fork.Process(target=worker, args=(rank, processes, folder)) for processes, rank in members]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
        assert process.exitcode == 0
    return {(processes, rank): torch.load(folder / f"{processes}-{rank}.pt") for processes, rank in members}


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_a_shared_batch_has_the_loss_and_the_gradient_of_the_whole(name, processes, found):
    whole, expected = found[1, 0][name]
    assert whole > 0
    assert max(float(gradient.abs().max()) for gradient in expected) > 1e-3
    for rank in range(processes):
        value, gradient = found[processes, rank][name]
        assert value == pytest.approx(whole, abs=1e-12)
        worst = max(float((a - b).abs().max()) for a, b in zip(expected, gradient, strict=True))
        assert worst < 1e-10


def test_averaging_what_each_process_divided_by_itself_would_not_do(found):
    """The means of 2 × 4 images, averaged, are another loss where ignored pixels lie unevenly: why there are sums."""
    images, mask = batch()
    logits = network(False)(images)
    halves = [CrossEntropy()(logits[part], mask[part]).item() for part in (slice(0, 4), slice(4, 8))]
    assert abs(sum(halves) / 2 - found[1, 0]["cross-entropy"][0]) > 1e-4


def test_without_other_processes_shares_are_the_sums():
    share = torch.rand(3, requires_grad=True)
    with share_batch():
        assert sum_over_processes(share)[0] is share


def test_batch_norm_is_synchronised_with_the_same_weights_under_the_same_names():
    from lightning.pytorch.plugins.layer_sync import TorchSyncBatchNorm

    net = UNet(1, 3, encoder=partial(PlainEncoder, widths=[4, 8]))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    kinds = [type(part) for part in net.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    converted = TorchSyncBatchNorm().apply(net)
    after = [type(part) for part in converted.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    assert set(kinds) == {nn.BatchNorm2d}
    assert after == [nn.SyncBatchNorm] * len(kinds)
    assert before.keys() == converted.state_dict().keys()
    assert all(torch.equal(before[name], value) for name, value in converted.state_dict().items())
    UNet(1, 3, encoder=partial(PlainEncoder, widths=[4, 8])).load_state_dict(converted.state_dict())
