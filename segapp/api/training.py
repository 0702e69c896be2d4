"""The callbacks of `segapp fit` for a Lightning Trainer in Python."""

from pathlib import Path

from lightning.pytorch import Callback

from segapp.callbacks import (
    AbsentClasses,
    BestCheckpoint,
    Curves,
    LastCheckpoint,
    ProgressBar,
    SeedEachStep,
    StopAtNaN,
    StopWhenAsked,
    TrainingReport,
)


def make_callbacks(folder: str | Path, seed: int = 0) -> list[Callback]:
    """Return the callbacks that every `segapp fit` has, for `Trainer(callbacks=…)`.

    They keep `best.ckpt` and `last.ckpt` in `<folder>/checkpoints`, write `metrics.csv`, `curves.png` and
    `report.html`, make every step a function of the seed (so that a resumed training ends with the same weights),
    report classes without a target pixel, end a training whose loss is not finite, and end it with a checkpoint on
    Ctrl-C or SIGTERM.

    Args:
        folder: The folder of the run; made if missing.
        seed: Seed of every step.
    """
    folder = Path(folder)
    last = LastCheckpoint(folder / "checkpoints")
    return [
        AbsentClasses(),
        ProgressBar(),
        SeedEachStep(seed),
        Curves(folder),
        StopAtNaN(last),
        BestCheckpoint(folder / "checkpoints"),
        last,
        StopWhenAsked(last),
        TrainingReport(folder),
    ]
