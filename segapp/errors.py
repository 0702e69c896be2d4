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
