"""What needs a GPU is refused on a CPU in one sentence, before a run's folder exists."""

from pathlib import Path

import pytest

from segapp.cli import main
from tests.cli.tiny import TINY

FSDP = "lightning.pytorch.strategies.FSDPStrategy"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trainer.strategy", "fsdp"], ["fsdp shards a network over GPUs", "--trainer.strategy ddp"]),
        ([f"--trainer.strategy={FSDP}"], ["shards a network over GPUs"]),
        (["--trainer.sync_batchnorm", "true", "--trainer.devices", "2"], ["sync_batchnorm needs GPUs", "norm=group"]),
    ],
    ids=["fsdp", "FSDPStrategy", "sync_batchnorm"],
)
def test_what_needs_a_gpu_is_refused_on_a_cpu(options, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--config", str(TINY), *options]) == 2
    error = capsys.readouterr().err
    for word in words:
        assert word in error
    assert "Traceback" not in error
    assert not Path("runs").exists()
