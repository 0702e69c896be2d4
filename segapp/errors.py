"""Errors meant for people: one clear sentence, no traceback.

A message names the file or setting, what was found, what was expected and what to do.
`segapp.cli.main` prints it and exits with the class's `exit_code`.
"""


class SegappError(Exception):
    """Work that was asked for correctly and failed (a broken file, a full disk): exit code 1."""

    exit_code = 1


class MisuseError(SegappError):
    """A request that cannot be carried out as it stands (a wrong setting, a missing folder): exit code 2."""

    exit_code = 2


class FatalError(SegappError):
    """Work that cannot go on for a reason that is no image's, as too little memory or a full disk: it ends the run."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class StoppedError(SegappError):
    """Work that ended early because it was asked to: exit code 130 after Ctrl-C, 143 after SIGTERM."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
