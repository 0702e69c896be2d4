"""The loss is that of weights moved by hand, and the network it is of never changes."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call, hessian

from segapp.errors import MisuseError
from segapp.lab.landscape.directions import sample_direction
from segapp.lab.landscape.surface import LossSurface
from segapp.losses import CrossEntropy


class Small(nn.Module):
    """Smooth, so that second derivatives exist everywhere."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Conv2d(3, 2, 1)

    def forward(self, image):
        return self.last(self.drop(torch.tanh(self.norm(self.first(image.to(self.last.weight.dtype) / 255)))))


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = Small()
    for _ in range(3):  # so that its batch norm has seen something
        net.train()(torch.rand(4, 1, 8, 8) * 255)
    return net


def batch(seed, size=3, ignored=0.2):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (size, 1, 8, 8), dtype=torch.uint8, generator=generator)
    mask = torch.randint(0, 2, (size, 8, 8), dtype=torch.uint8, generator=generator)
    mask[torch.rand(mask.shape, generator=generator) < ignored] = 255
    return {"image": image, "mask": mask, "name": ["a"] * size, "size": torch.tensor([[8, 8]] * size)}


BATCHES = [batch(1), batch(2, size=1), batch(3, ignored=1.0)]


def mean_loss(net, batches=BATCHES):
    """Over all pixels that have a class, at once."""
    net.eval()
    with torch.no_grad():
        logits = torch.cat([net(part["image"]).movedim(1, -1).flatten(0, 2) for part in batches])
        mask = torch.cat([part["mask"].flatten() for part in batches]).long()
        return nn.functional.cross_entropy(logits, mask, ignore_index=255).item()


def test_the_loss_is_that_of_weights_moved_by_hand(net):
    directions = [sample_direction(net, seed) for seed in (0, 1)]
    surface = LossSurface(net, CrossEntropy(), BATCHES, directions)
    moved = copy.deepcopy(net)
    with torch.no_grad():
        for name, value in moved.named_parameters():
            value += 0.3 * directions[0][name] - 0.7 * directions[1][name]
    assert surface.compute_loss({0: 0.3, 1: -0.7}) == pytest.approx(mean_loss(moved), rel=1e-5)
    assert surface.compute_loss({}) == pytest.approx(mean_loss(net), rel=1e-5)


@pytest.mark.parametrize("recalibrate", [False, True])
def test_nothing_of_the_network_changes(net, recalibrate):
    net.train()
    before, modes = copy.deepcopy(net.state_dict()), [part.training for part in net.modules()]
    state = torch.random.get_rng_state()
    surface = LossSurface(net, CrossEntropy(), BATCHES, [sample_direction(net, 0)], recalibrate)
    first = surface.compute_loss({0: 0.5})
    surface.compute_loss({0: 9.0})
    surface.compute_eigenvalues(1)
    assert surface.compute_loss({0: 0.5}) == first
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())
    assert [part.training for part in net.modules()] == modes
    assert net.norm.momentum == 0.1 and net.first.weight.requires_grad and net.first.weight.grad is None
    assert torch.equal(torch.random.get_rng_state(), state)


def test_recalibrated_statistics_undo_what_batch_norm_undoes(net):
    """A convolution before a batch norm may be scaled as one likes: only frozen statistics see it."""
    nn.init.zeros_(net.first.bias)
    scaling = {name: torch.zeros_like(value) for name, value in net.named_parameters()}
    scaling["first.weight"] = net.first.weight.detach().clone()
    batches = BATCHES[:1]
    frozen = LossSurface(net, CrossEntropy(), batches, [scaling])
    anew = LossSurface(net, CrossEntropy(), batches, [scaling], recalibrate=True)
    assert anew.compute_loss({0: 3.0}) == pytest.approx(anew.compute_loss({}), rel=1e-3)
    assert frozen.compute_loss({0: 3.0}) != pytest.approx(frozen.compute_loss({}), rel=1e-2)
    assert (frozen.statistics, anew.statistics) == ("frozen", "recalibrated")


def test_recalibrated_statistics_are_the_batches_own(net):
    surface = LossSurface(net, CrossEntropy(), BATCHES[:1], [sample_direction(net, 0)], recalibrate=True)
    own = copy.deepcopy(net)
    features = own.first(BATCHES[0]["image"].float() / 255).detach()
    own.norm.running_mean.copy_(features.mean((0, 2, 3)))
    own.norm.running_var.copy_(features.var((0, 2, 3)))
    assert surface.compute_loss({}) == pytest.approx(mean_loss(own, BATCHES[:1]), rel=1e-5)


def test_a_network_without_batch_norm_says_so():
    plain = nn.Sequential(nn.Conv2d(1, 2, 1)).double()
    part = batch(0) | {"image": batch(0)["image"].double()}
    surface = LossSurface(plain, CrossEntropy(), [part], [sample_direction(plain, 0)], recalibrate=True)
    assert surface.statistics == "none"


def test_samples_without_a_class_are_refused(net):
    with pytest.raises(MisuseError, match="no pixel"):
        LossSurface(net, CrossEntropy(), BATCHES[2:], [])


# torch scripts its own forward-mode decompositions when torch.func.hessian first asks for them
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_the_largest_eigenvalues_are_those_of_the_whole_hessian(net):
    net = net.double()
    surface = LossSurface(net, CrossEntropy(), BATCHES, [])
    names, shapes = zip(*[(name, value.shape) for name, value in net.named_parameters()], strict=True)
    flat = torch.cat([value.detach().reshape(-1) for _, value in net.named_parameters()])
    net.eval()

    def loss(vector):
        parts = vector.split([shape.numel() for shape in shapes])
        weights = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        logits = torch.cat(
            [functional_call(net, weights, (part["image"],)).movedim(1, -1).flatten(0, 2) for part in BATCHES]
        )
        mask = torch.cat([part["mask"].flatten() for part in BATCHES]).long()
        return nn.functional.cross_entropy(logits, mask, ignore_index=255)

    expected = torch.linalg.eigvalsh(hessian(loss)(flat))[-3:].flip(0)
    calls = []
    found = surface.compute_eigenvalues(3, lambda: calls.append(1))
    assert found.largest == pytest.approx(expected.tolist(), rel=1e-6)
    assert len(calls) == found.iterations


class Attention(nn.Module):
    """Every pixel attends to every other, and a head is there that only training uses."""

    def __init__(self):
        super().__init__()
        self.first, self.last, self.unused = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 2, 1), nn.Conv2d(4, 2, 1)

    def forward(self, image):
        features = self.first(image.float() / 255)
        words = features.flatten(2).transpose(1, 2)
        seen = nn.functional.scaled_dot_product_attention(words, words, words)
        return self.last(seen.transpose(1, 2).reshape(features.shape))


def test_fused_attention_and_heads_that_only_training_uses_have_eigenvalues():
    torch.manual_seed(0)
    found = LossSurface(Attention(), CrossEntropy(), BATCHES, []).compute_eigenvalues(2)
    assert found.largest[0] > 0 and max(found.residual) < 1e-3
