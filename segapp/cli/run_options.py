"""The options of `fit`, `validate` and `test` that stand outside the sections of a config."""

from lightning.pytorch.cli import LightningArgumentParser


def add_run_options(parser: LightningArgumentParser) -> None:
    """Add the options for a run's folder and its start."""
    parser.add_argument("--name", type=str, default="unet", help="The run is written to runs/<name>/<time>.")
    about_jobs = "The run is written to runs/<name>/<job>; the same job started again resumes."
    foreign = "Class or package outside segapp that the checkpoint may use; repeat it."
    parser.add_argument("--allow", type=str | None, default=None, help=foreign)
    parser.add_argument("--job", type=str | None, default=None, help=about_jobs)
    anew = "Use the split of the data section, not that of the checkpoint: for other images."
    parser.add_argument("--new_split", type=bool, default=False, help=anew)
    parser.add_argument("--dry_run", type=bool, default=False, help="Measure a few steps of a fit; no files are kept.")
    about_temperature = (
        "Fit a temperature to the validation images in segapp validate, and write a copy of the checkpoint with it to "
        "this file: probabilities then agree with masks."
    )
    parser.add_argument("--calibrate", type=str | None, default=None, help=about_temperature)
    about_scores = "Exit with code 1 where a score of validate or test is lower: iou/dataset=0.8; repeat it."
    parser.add_argument("--fail_under", type=list[str] | str | None, default=None, help=about_scores)
    about_tolerance = (
        "Distance that surface Dice of segapp test tolerates, with its unit: 2px (the default), 1mm, 0.5um. With a "
        "length, all distances between boundaries are in its unit, by the size of a pixel that each file states."
    )
    parser.add_argument("--tolerance", type=str | None, default=None, help=about_tolerance)
    about_tubes = "Score the centreline Dice of tubes such as vessels in segapp test too, which takes time."
    parser.add_argument("--cldice", type=bool, default=False, help=about_tubes)
    about_weights = "Checkpoint or bundle of weights from which a new fit starts, also with other classes or channels."
    parser.add_argument("--init_from", type=str | None, default=None, help=about_weights)
