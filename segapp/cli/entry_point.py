"""Runs one command of `segapp` and turns its errors into messages and exit codes.

Nothing heavy is imported here, so that `segapp --help` answers at once; a command imports what it uses.
"""

import errno
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import import_module

from segapp import __version__
from segapp.cli.command_table import COMMANDS, TRAINER_VERBS, explain_unknown_command, format_overview
from segapp.cli.help import format_page
from segapp.cli.interrupts import exit_at_once, restore_handlers, unwind_on_sigterm
from segapp.errors import FatalError, MisuseError, SegappError
from segapp.system.garbage import pause_collection, resume_collection
from segapp.system.regular_files import refuse_pipes
from segapp.system.unused_imports import defer_scipy_signal
from segapp.system.user_modules import list_library_folders, refuse_local_libraries, refuse_local_matplotlibrc
from segapp.terminal.streams import checked_streams, silence
from segapp.terminal.text import for_terminal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 usage error, 130 Ctrl-C, 143 SIGTERM."""
    is_program = arguments is None  # and not called as a function
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # Child processes, multiprocessing's resource tracker for one, import nothing from the current folder: no random.py
    # beside the images.
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        with checked_streams():
            return _run(arguments, is_program)
    except FatalError as error:  # what was left in the buffer of standard output
        _print_error(str(error))
        return error.exit_code
    except BrokenPipeError:  # the reader of our output went away, as in `segapp --help | head`
        silence(1)
        return 141


def _run(arguments: list[str], is_program: bool) -> int:
    try:
        with unwind_on_sigterm(), ExitStack() as start:
            if is_program:
                start.enter_context(exit_at_once())
                start.enter_context(pause_collection())
            return _dispatch(arguments)
    except SegappError as error:
        _print_error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _print_error("interrupted.")
        return 130
    except SystemExit as stop:  # how a parser ends after its help
        return int(stop.code or 0)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        _print_error(f"this is too long for the name of a file: {str(error.filename)[:60]}…")
        return 2


def _print_error(message: str) -> None:
    print(f"segapp: {for_terminal(message)}", file=sys.stderr)


def _dispatch(arguments: list[str]) -> int:
    command = arguments[0] if arguments else "--help"
    if command in ("--help", "-h", "help"):
        print(format_overview(), end="")
        return 0
    if command in ("--version", "-V"):
        print(f"segapp {__version__}")
        return 0
    if command in TRAINER_VERBS and {"--help", "-h"} & set(arguments):
        print(format_page(command), end="")
        return 0
    refuse_pipes(arguments[1:])
    refuse_local_libraries()
    os.environ["LD_LIBRARY_PATH"] = list_library_folders()
    refuse_local_matplotlibrc()
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
        with defer_scipy_signal():
            commands = import_module("segapp.cli.trainer_commands")
        code: int = commands.run(split)
        return code
    raise MisuseError(explain_unknown_command(command))


def _read_purpose(function: Callable[..., int]) -> str:
    """Return the text of a docstring before its arguments, which the parser lists itself."""
    return inspect.cleandoc(function.__doc__ or "").partition("\nArgs:")[0].strip()


def _run_function(command: str, arguments: list[str]) -> int:
    from segapp.cli.arguments import Arguments
    from segapp.cli.early_checks import check_function

    module_name, _ = COMMANDS[command]
    check_function(module_name, Arguments(command, arguments))
    with defer_scipy_signal():
        function: Callable[..., int] = getattr(import_module(module_name), command)
    from segapp.cli.parser import FunctionParser

    parser = FunctionParser(prog=f"segapp {command}", description=_read_purpose(function), allow_abbrev=False)
    parser.add_function_arguments(function, as_group=False)
    parsed = parser.parse_args(arguments)
    restore_handlers()
    resume_collection()
    return function(**parsed)
