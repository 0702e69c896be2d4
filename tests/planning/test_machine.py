"""What a training may use of this machine, and how fast a network trains on it."""

from itertools import accumulate
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from segapp.planning import machine
from segapp.planning.machine import Machine, describe_machine, estimate_memory, measure_step

CPU = Machine("cpu", "a machine", 2**30, 2**30, 1)


def test_a_machine_without_gpu_has_the_memory_and_cores_of_its_container(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(machine, "read_memory_limit", lambda: 2**20)
    monkeypatch.setattr(machine, "count_usable_cores", lambda: 3)
    found = describe_machine()
    assert (found.kind, found.memory, found.main_memory, found.cores) == ("cpu", 2**20, 2**20, 3)
    assert found.name.startswith("3 cores")


def test_a_gpu_s_own_memory_counts(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(name="GPU", total_memory=2**33))
    monkeypatch.setattr(machine, "read_memory_limit", lambda: 2**20)
    found = describe_machine()
    assert (found.kind, found.name, found.memory, found.main_memory) == ("cuda", "GPU", 2**33, 2**20)


def test_memory_is_what_the_backward_pass_keeps_and_four_values_a_parameter():
    net = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), nn.ReLU())
    # The convolution keeps its input, 8 x 8 float32, and the ReLU its output of four channels; 4 weights.
    assert estimate_memory(net, torch.zeros(1, 1, 8, 8)) == 1.5 * (256 + 1024) + 16 * 4


def test_a_step_takes_as_long_as_the_fastest_after_the_first(monkeypatch):
    lasting = [9.0, 4.0, 6.0]
    ticks = iter(accumulate(t for seconds in lasting for t in (0.0, seconds)))
    monkeypatch.setattr(machine, "time", SimpleNamespace(process_time=lambda: next(ticks), perf_counter=None))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    net = nn.Conv2d(1, 2, 1)
    before = net.weight.detach().clone()
    image, mask = torch.ones(2, 1, 4, 4), torch.zeros(2, 4, 4, dtype=torch.uint8)
    assert measure_step(net, nn.CrossEntropyLoss(), image, mask, CPU) == pytest.approx(4.0 * 1.2 / 2)
    assert not torch.equal(net.weight, before)
