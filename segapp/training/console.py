"""Print messages once per run, and silence those of libraries."""

import logging
import warnings

from lightning.pytorch.utilities import rank_zero_only


@rank_zero_only
def print_message(message: str) -> None:
    """Print a message in one process of the run only."""
    print(message)


def silence_libraries() -> None:
    """Silence warnings that a user can do nothing about, and Lightning's advertisements."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("callbacks.early_stopping", "callbacks.timer", "callbacks.model_summary", "profilers.profiler"):
        logging.getLogger(f"lightning.pytorch.{name}").setLevel(logging.INFO)  # useful: why a run ended, its summary
    for message, category in (
        (r".*isinstance\(treespec, LeafSpec\).*", FutureWarning),
        (r".*does not have many workers.*", UserWarning),
        (r".*The number of training batches.*", UserWarning),
        (r".*It is recommended to use `self.log.*sync_dist=True.*", UserWarning),  # module.py has counted over all
        (r".*callbacks used to create the checkpoint need to be provided.*", UserWarning),
        (r".*Checkpoint directory .* exists and is not empty.*", UserWarning),
    ):
        warnings.filterwarnings("ignore", message=message, category=category)
