"""The options of `fit`, `validate` and `test` that stand outside the sections of a config."""

from lightning.pytorch.cli import LightningArgumentParser


def add_run_options(parser: LightningArgumentParser) -> None:
    """Add the options for a run's folder and its start."""
    parser.add_argument("--name", type=str, default="unet", help="The run is written to runs/<name>/<time>.")
    about_jobs = "The run is written to runs/<name>/<job>; the same job again resumes where it stopped."
    foreign = "Class or package outside segapp that the checkpoint may use; repeat it."
    parser.add_argument("--allow", type=str | None, default=None, help=foreign)
    parser.add_argument("--job", type=str | None, default=None, help=about_jobs)
    anew = "Divide the images by the data's own split, not by the checkpoint's: for other images."
    parser.add_argument("--new_split", type=bool, default=False, help=anew)
    parser.add_argument("--dry_run", type=bool, default=False, help="Measure a few steps of a fit, keep nothing.")
    about_weights = "Checkpoint or bundle of weights that a new fit starts from, also with other classes or channels."
    parser.add_argument("--init_from", type=str | None, default=None, help=about_weights)
