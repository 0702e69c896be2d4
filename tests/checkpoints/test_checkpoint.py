"""A checkpoint becomes its network again; anything else becomes one sentence."""

import math
import pickle
import sys
import textwrap

import pytest
import torch

from segapp.checkpoints.checkpoint import load_checkpoint, read_checkpoint
from segapp.errors import MisuseError
from tests.checkpoints.refusal import ALLOWED, refusal
from tests.inference.checkpoints import THRESHOLD, make_spec, record, write_checkpoint


def test_a_checkpoint_gives_spec_network_and_record(tmp_path):
    spec = make_spec(window=(96, 64), overlap=0.5)
    path = write_checkpoint(tmp_path / "best.ckpt", spec, level=0.25)
    loaded, net, found = load_checkpoint(path, ALLOWED)
    assert loaded == spec
    assert net.weight.item() == 0.25
    assert not net.training
    assert found["net"]["class_path"] == THRESHOLD


@pytest.mark.parametrize("url", ["http://x.org/a.ckpt", "https://x.org/a.ckpt", "s3://b/a.ckpt", "file:///a.ckpt"])
def test_urls_are_refused(url):
    assert "read from this machine only" in refusal(url)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut short", b"\x80\x02}q\x00.", b"\x89PNG\r\n\x1a\n"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "best.ckpt"
    path.write_bytes(content)
    told = refusal(path)
    assert str(path) in told
    assert f"damaged or incomplete one ({len(content)} bytes)" in told or "not written by segapp" in told


def test_every_cut_of_a_checkpoint_is_refused(tmp_path):
    whole = write_checkpoint(tmp_path / "best.ckpt").read_bytes()
    for length in range(0, len(whole) - 1, max(1, len(whole) // 20)):
        (tmp_path / "cut.ckpt").write_bytes(whole[:length])
        assert f"cut.ckpt: no checkpoint, or a damaged or incomplete one ({length:,} bytes)" in refusal(
            tmp_path / "cut.ckpt"
        )


class Payload:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (str(self.target), "w"))


@pytest.mark.parametrize("place", ["extra", "state_dict", "segapp"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_that_would_run_code_is_refused_and_not_run(tmp_path, place, zipped):
    target, path = tmp_path / "ran", tmp_path / "evil.ckpt"
    content = {"state_dict": {}, "segapp": record()} | {place: {"x": Payload(target)}}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    message = refusal(path)
    assert "holds code (" in message
    assert "refused" in message
    assert not target.exists()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_bare_pickle_is_refused_and_not_run(tmp_path, protocol):
    target, path = tmp_path / "ran", tmp_path / "evil.ckpt"
    path.write_bytes(pickle.dumps(Payload(target), protocol))
    assert "evil.ckpt" in refusal(path)
    assert not target.exists()


def test_a_checkpoint_of_another_program_is_refused(tmp_path):
    torch.save({"state_dict": {}, "epoch": 3, "pytorch-lightning_version": "2.6.6"}, tmp_path / "l.ckpt")
    assert "not written by segapp" in refusal(tmp_path / "l.ckpt")
    torch.save(torch.ones(3), tmp_path / "t.ckpt")
    assert "not written by segapp" in refusal(tmp_path / "t.ckpt")


@pytest.mark.parametrize(
    "changes",
    [
        {"blend": "hard"},
        {"precision": "8-bit"},
        {"intensity": {"kind": "guess", "low": 0, "high": 0}},
        {"intensity": {"knd": "stored"}},
        {"resize": [60000, 60000]},
        {"palette": [[0, 0]]},
        {"classes": 3},
        {"window": None},
        {"window": [64]},
        {"window": [True, 64]},
        {"window": [64.5, 64.5]},
        {"channels": 1.0},
        {"channels": True},
        {"resize": [1.5, 2]},
        {"palette": [[0, 0, 0], [300, -5, 10**30]]},
        {"classes": [1, None]},
        {"classes": ["a", "a"]},
        {"classes": ["a\x1b]0;x\x07", "b\r\nc"]},
        {"min_hole": [math.nan, math.nan]},
        {"scales": [4.0] * 100_000},
        {"intensity": {"kind": "range", "low": "a", "high": "b"}},
    ],
    ids=lambda changes: str(changes)[:50],
)
def test_a_spec_with_impossible_values_is_refused(tmp_path, changes):
    made = record()
    made["spec"] |= changes
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {"net.weight": torch.tensor(0.5)}, "segapp": made}, path)
    assert refusal(path)


def test_another_version_is_refused(tmp_path):
    torch.save({"state_dict": {}, "segapp": record() | {"version": 9}}, tmp_path / "v.ckpt")
    assert "version 9" in refusal(tmp_path / "v.ckpt")
    torch.save({"state_dict": {}, "segapp": "yes"}, tmp_path / "v.ckpt")
    assert "version None" in refusal(tmp_path / "v.ckpt")


@pytest.mark.parametrize("section", ["spec", "net", "config"])
def test_a_missing_section_is_refused(tmp_path, section):
    damaged = record()
    damaged[section] = None
    torch.save({"state_dict": {}, "segapp": damaged}, tmp_path / "d.ckpt")
    with pytest.raises(MisuseError, match="damaged"):
        read_checkpoint(tmp_path / "d.ckpt")


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module that leaves a file behind when imported, and the path of that file."""
    trace = tmp_path / "imported"
    code = f"""
        from torch import nn
        open({str(trace)!r}, "w").close()
        class Net(nn.Module):
            def __init__(self, *args, **kwargs): super().__init__()
    """
    (tmp_path / "evil.py").write_text(textwrap.dedent(code))
    monkeypatch.syspath_prepend(tmp_path)
    yield trace
    sys.modules.pop("evil", None)


def test_a_class_from_elsewhere_is_refused_before_its_import(tmp_path, evil):
    net = {"class_path": "evil.Net", "init_args": {}}
    path = write_checkpoint(tmp_path / "e.ckpt", net=net)
    message = refusal(path)
    assert "evil.Net" in message
    assert "--allow evil.Net" in message
    assert not evil.exists()


def test_a_class_the_user_names_is_imported(tmp_path, evil):
    torch.save({"state_dict": {}, "segapp": record(net={"class_path": "evil.Net"})}, tmp_path / "e.ckpt")
    load_checkpoint(tmp_path / "e.ckpt", ["evil.Net"])
    assert evil.exists()


UNET = "segapp.models.UNet"


SIZES = {"in_channels": 3, "num_classes": 2}


@pytest.mark.parametrize(
    "net",
    [
        {"class_path": UNET, "init_args": {**SIZES, "encoder": {"class_path": "evil.Net"}}},
        {"class_path": UNET, "init_args": {**SIZES, "encoder": "evil.Net"}},
        {"class_path": UNET, "init_args": {**SIZES, "encoder": '{"class_path": "evil.Net"}'}},
        {"class_path": UNET, "init_args": {**SIZES, "encoder.class_path": "evil.Net"}},
        {"class_path": UNET, "init_args": {**SIZES, "long_skip": [{"class_path": "evil.Net"}]}},
        {"class_path": UNET, "init_args": SIZES, "dict_kwargs": {"x": 1}},
        {"class_path": UNET, "init_args": {**SIZES, "_instantiator": "evil.Net"}},
        {"class_path": UNET, "init_args": {**SIZES, "encoder": "evil.yaml"}},
        {"class_path": "segapp.models.evil.Net"},
        {"class_path": "torch.os.system", "init_args": {"command": "touch imported"}},
        {"class_path": "torch.hub.load", "init_args": {"repo_or_dir": "x", "model": "y"}},
        {"class_path": "segapp.io.write.uuid.os.system"},
        {"class_path": "segapp.__main__.main"},
        {"class_path": "torch.optim.SGD", "init_args": {"params": [], "lr": 1}},
        {"class_path": "segapp.spec.Spec"},
        {"class_path": "torchevil.Net"},
        {"class_path": "Threshold"},
        {"class_path": "torch..nn.ReLU"},
        {"class_path": ["torch", "nn"]},
        {"class_path": 3},
        {},
    ],
    ids=str,
)
def test_no_way_round_the_check_reaches_other_code(tmp_path, evil, monkeypatch, net):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.yaml").write_text("class_path: evil.Net\n")
    path = write_checkpoint(tmp_path / "e.ckpt", net={"class_path": UNET, "init_args": {}})
    content = torch.load(path, weights_only=True)
    content["segapp"]["net"] = net
    torch.save(content, path)
    refusal(path, [])
    assert not evil.exists()
    assert "evil" not in sys.modules
