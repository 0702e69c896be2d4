"""The commands of segapp, each with its module and purpose, and the help that lists them.

Nothing heavy is imported here.
"""

from segapp import __version__
from segapp.errors import suggest

TRAINER_VERBS = {
    "fit": "train a network",
    "validate": "score a checkpoint on the validation images",
    "test": "score a checkpoint on the test images",
}
"""Run by Lightning's Trainer; see `segapp.cli.trainer_commands`."""

COMMANDS = {
    "check": ("segapp.commands.check", "look for what is wrong with images and masks"),
    "plan": ("segapp.commands.plan", "write a configuration for your own images"),
    "study": ("segapp.lab.study.command", "run an ablation from one YAML and draw its page"),
    "folds": ("segapp.lab.folds.command", "train and score every fold, and write their ensemble"),
    "compare": ("segapp.lab.compare.command", "set runs and the predictions of any tool against each other"),
    "metrics": ("segapp.commands.metrics", "score two folders of masks under the rules of any tool"),
    "predict": ("segapp.commands.predict", "write a mask for every image of a folder"),
    "export": ("segapp.commands.export", "write a checkpoint as a bundle for ONNX Runtime or OpenVINO"),
    "doctor": ("segapp.commands.doctor", "look for what usually goes wrong on this machine"),
    "depth": ("segapp.lab.depth.command", "measure how gradients vanish or explode with depth"),
    "landscape": ("segapp.lab.landscape.command", "draw the loss surface around trained weights"),
}
"""Plain functions: the module holds a function of the command's name, whose docstring is its help."""

OVERVIEW = """\
segapp {version}: train, understand and ship U-Nets.

usage: segapp <command> [options]

{commands}

Start here (trains on a generated set in a few minutes, no data needed):
  segapp fit --config configs/unet.yaml

Then, with a folder of your own images and masks (see configs/data/mine.yaml):
  segapp fit --config configs/unet.yaml --data configs/data/mine.yaml
  segapp test --ckpt_path runs/unet/<time>/checkpoints/best.ckpt
  segapp predict --ckpt_path runs/unet/<time>/checkpoints/best.ckpt --images folder/ --output masks/

Options of a command:  segapp <command> --help
"""


def format_overview() -> str:
    """Format the help of segapp, which lists every command."""
    verbs = TRAINER_VERBS | {name: purpose for name, (_, purpose) in COMMANDS.items()}
    width = max(map(len, verbs))
    return OVERVIEW.format(
        version=__version__,
        commands="\n".join(f"  {name:<{width}}  {purpose}" for name, purpose in verbs.items()),
    )


def explain_unknown_command(command: str) -> str:
    """Explain that a word is not a command, with the nearest one there is."""
    known = [*TRAINER_VERBS, *COMMANDS]
    if command.startswith("-"):
        return f"the first word is a command ({', '.join(known)}), got the option {command}."
    return f"there is no command {command!r}{suggest(command, known)}; the commands are {', '.join(known)}."
