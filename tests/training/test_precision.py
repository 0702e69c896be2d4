"""The precision that a run takes when it is left open, and what is refused."""

import pytest

from segapp.errors import MisuseError
from segapp.training.precision import choose_precision, refuse_mixed_under_fsdp

FSDP = "lightning.pytorch.strategies.FSDPStrategy"


@pytest.mark.parametrize("strategy", ["fsdp", FSDP])
def test_fsdp_trains_in_fp32(strategy):
    assert choose_precision("auto", strategy) == "32-true"
    refuse_mixed_under_fsdp("32-true", strategy)
    with pytest.raises(MisuseError, match=r"trainer\.precision bf16-mixed .* 32-true"):
        refuse_mixed_under_fsdp("bf16-mixed", strategy)


def test_mixed_precision_is_allowed_elsewhere():
    refuse_mixed_under_fsdp("bf16-mixed", "ddp")
