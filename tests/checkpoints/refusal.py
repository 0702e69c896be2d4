"""A checkpoint that is refused, and the message that says so."""

import pytest

from segapp.checkpoints.checkpoint import load_checkpoint
from segapp.errors import MisuseError

ALLOWED = ["tests.inference.checkpoints"]


def refusal(path, allowed=ALLOWED):
    """Return the one line with which a checkpoint is refused."""
    with pytest.raises(MisuseError) as caught:
        load_checkpoint(path, allowed)
    message = str(caught.value)
    assert "\n" not in message
    return message
