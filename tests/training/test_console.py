"""What is printed, and what is not."""

import logging
import warnings

import pytest
from lightning.pytorch.utilities import rank_zero_only

from segapp.training.console import print_message, silence_libraries


@pytest.mark.parametrize(("rank", "printed"), [(0, "done\n"), (1, "")])
def test_a_message_is_printed_by_the_first_process_only(monkeypatch, capsys, rank, printed):
    monkeypatch.setattr(rank_zero_only, "rank", rank)
    print_message("done")
    assert capsys.readouterr().out == printed


@pytest.fixture
def loggers():
    """Lightning's loggers, whose levels come back."""
    names = ["lightning.pytorch", "lightning.fabric", "lightning.pytorch.callbacks.early_stopping"]
    found = {name: logging.getLogger(name) for name in names}
    levels = {name: logger.level for name, logger in found.items()}
    yield found
    for name, level in levels.items():
        found[name].setLevel(level)


def test_advice_is_silenced_and_why_a_run_ended_is_not(loggers):
    with warnings.catch_warnings():
        silence_libraries()
        with pytest.warns(UserWarning, match="of the user's data") as caught:
            warnings.warn("The dataloader does not have many workers which may be a bottleneck", stacklevel=1)
            warnings.warn("of the user's data", stacklevel=1)
    assert len(caught) == 1 or "many workers" in str(caught[0].message)
    assert not loggers["lightning.pytorch"].isEnabledFor(logging.INFO)
    assert loggers["lightning.pytorch"].isEnabledFor(logging.WARNING)
    assert loggers["lightning.pytorch.callbacks.early_stopping"].isEnabledFor(logging.INFO)
