"""A temperature is fitted while images are validated, and written to a copy of the checkpoint."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from segapp.callbacks.temperature import FitTemperature
from segapp.checkpoints.checkpoint import read_checkpoint
from segapp.errors import MisuseError
from segapp.inference.open import open_networks
from tests.inference.checkpoints import THRESHOLD, make_spec, write_checkpoint


def test_a_copy_of_the_checkpoint_has_the_temperature(tmp_path):
    checkpoint, output = write_checkpoint(tmp_path / "best.ckpt"), tmp_path / "new" / "calibrated.ckpt"
    before, messages = checkpoint.read_bytes(), []
    trainer = SimpleNamespace(num_val_batches=[1], is_global_zero=True)
    module = SimpleNamespace(spec=make_spec(), sampler=None)
    callback = FitTemperature(checkpoint, output, 0, messages.append)
    callback.on_validation_start(trainer, module)
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (30, 30)).astype(np.uint8)
    logits = np.stack([np.where(truth, -3.0, 3.0), np.where(truth, 3.0, -3.0)]) * rng.choice(
        [-1, 1], (30, 30), p=[0.3, 0.7]
    )
    module.sampler.begin("image", truth)
    module.sampler.add(0, torch.from_numpy(logits.astype(np.float32)))
    callback.on_validation_end(trainer, module)
    temperature = read_checkpoint(output)["segapp"]["temperature"]
    assert temperature == pytest.approx(6 / np.log(7 / 3), rel=0.2)  # 70 % are right, of logits 6 apart
    assert f"{temperature:.4f}" in messages[0] and str(output) in messages[1]
    assert checkpoint.read_bytes() == before and module.sampler is None
    assert open_networks([output], [THRESHOLD], device="cpu").members[0].temperature == temperature
    assert open_networks([checkpoint], [THRESHOLD], device="cpu").members[0].temperature == 1


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), 1e300])
def test_a_hostile_temperature_is_refused(tmp_path, temperature):
    content = torch.load(write_checkpoint(tmp_path / "a.ckpt"), weights_only=True)
    content["segapp"]["temperature"] = temperature
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(MisuseError, match=r"a\.ckpt: temperature"):
        read_checkpoint(tmp_path / "a.ckpt")
