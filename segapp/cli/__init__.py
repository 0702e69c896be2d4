"""The command line: `main`, and the one place that knows every command.

Nothing heavy is imported here, so that `segapp --help` answers at once; a command pays for what it uses.
"""

import errno
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module

from segapp import __version__
from segapp.cli.help import format_page
from segapp.cli.interrupts import leaving_at_once, unwind_again
from segapp.errors import FatalError, MisuseError, SegappError
from segapp.system.regular_files import refuse_pipes
from segapp.terminal.streams import checked_streams, silence
from segapp.terminal.text import for_terminal

TRAINER_VERBS = {
    "fit": "train a network",
    "validate": "score a checkpoint on the validation images",
    "test": "score a checkpoint on the test images",
}
"""Run by Lightning's Trainer; see `segapp.cli.trainer_commands`."""

COMMANDS = {
    "plan": ("segapp.commands.plan", "write a configuration for your own images"),
    "study": ("segapp.lab.study.command", "run an ablation from one YAML and draw its page"),
    "folds": ("segapp.lab.folds.command", "train and score every fold, and write their ensemble"),
    "compare": ("segapp.commands.compare", "set finished runs against each other"),
    "predict": ("segapp.commands.predict", "write a mask for every image of a folder"),
    "export": ("segapp.commands.export", "write a checkpoint as a bundle for ONNX Runtime or OpenVINO"),
    "doctor": ("segapp.commands.doctor", "look for what usually goes wrong on this machine"),
    "depth": ("segapp.lab.depth.command", "measure how gradients vanish or explode with depth"),
    "landscape": ("segapp.lab.landscape.command", "draw the loss surface around trained weights"),
}
"""Plain functions: the module holds a function of the command's name, whose docstring is its help."""

HELP = """\
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 misuse, 130 Ctrl-C, 143 SIGTERM."""
    is_program = arguments is None  # not a function within another
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if is_program:  # processes that are started import nothing from the current folder: no random.py beside the images
        os.environ.setdefault("PYTHONSAFEPATH", "1")
    if "" not in sys.path:
        sys.path.append("")  # a class of one's own, in a file beside; last, so that it stands for nothing else
    try:
        with checked_streams():
            return _exit_code(arguments, is_program)
    except FatalError as error:  # what was left in the buffer of standard output
        _tell(str(error))
        return error.exit_code
    except BrokenPipeError:  # the reader of our output went away, as in `segapp --help | head`
        silence(1)
        return 141


def _exit_code(arguments: list[str], is_program: bool) -> int:
    try:
        with _ended_by_sigterm(), leaving_at_once() if is_program else nullcontext():
            return _dispatch(arguments)
    except SegappError as error:
        _tell(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _tell("interrupted.")
        return 130
    except SystemExit as stop:  # how a parser ends after its help
        return int(stop.code or 0)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        _tell(f"this is too long for the name of a file: {str(error.filename)[:60]}…")
        return 2


def _tell(sentence: str) -> None:
    print(f"segapp: {for_terminal(sentence)}", file=sys.stderr)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Unwind on SIGTERM, so that no half file remains.

    The first process of a container would not even notice the signal.

    A fit listens in its own way while it trains (`segapp.callbacks.StopWhenAsked`).
    """

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _dispatch(arguments: list[str]) -> int:
    command = arguments[0] if arguments else "--help"
    if command in ("--help", "-h", "help"):
        print(_format_help(), end="")
        return 0
    if command in ("--version", "-V"):
        print(f"segapp {__version__}")
        return 0
    if command in TRAINER_VERBS and {"--help", "-h"} & set(arguments):
        print(format_page(command), end="")
        return 0
    refuse_pipes(arguments[1:])
    # Idle OpenMP threads sleep instead of spinning: where anything else runs, a loader's workers for one, spinning
    # made training and prediction 10 to 30 times slower. Read when torch is imported, so it must stand before.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if command in COMMANDS:
        return _run_function(command, arguments[1:])
    if command in TRAINER_VERBS:
        from segapp.cli.arguments import Arguments
        from segapp.cli.early_checks import check_verb

        words = ["--help" if argument == "--help_all" else argument for argument in arguments[1:]]
        split = Arguments(command, words)
        check_verb(split)
        return import_module("segapp.cli.trainer_commands").run(split)
    raise MisuseError(_explain_unknown_command(command))


def _format_help() -> str:
    verbs = TRAINER_VERBS | {name: purpose for name, (_, purpose) in COMMANDS.items()}
    width = max(map(len, verbs))
    return HELP.format(
        version=__version__,
        commands="\n".join(f"  {name:<{width}}  {purpose}" for name, purpose in verbs.items()),
    )


def _explain_unknown_command(command: str) -> str:
    known = [*TRAINER_VERBS, *COMMANDS]
    if command.startswith("-"):
        return f"the first word is a command ({', '.join(known)}), got the option {command}."
    from segapp.errors import suggest

    return f"there is no command {command!r}{suggest(command, known)}; the commands are {', '.join(known)}."


def _read_purpose(function: Callable[..., int]) -> str:
    """Read what a docstring says before its arguments, which the parser lists itself."""
    return inspect.cleandoc(function.__doc__ or "").partition("\nArgs:")[0].strip()


def _run_function(command: str, arguments: list[str]) -> int:
    from segapp.cli.arguments import Arguments
    from segapp.cli.early_checks import check_function

    module_name, _ = COMMANDS[command]
    check_function(module_name, Arguments(command, arguments))
    function: Callable[..., int] = getattr(import_module(module_name), command)
    from segapp.cli.parser import FunctionParser

    parser = FunctionParser(prog=f"segapp {command}", description=_read_purpose(function), allow_abbrev=False)
    parser.add_function_arguments(function, as_group=False)
    parsed = parser.parse_args(arguments)
    unwind_again()
    return function(**parsed)
