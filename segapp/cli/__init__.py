"""The command line."""

from segapp.cli.command_table import COMMANDS, TRAINER_VERBS
from segapp.cli.entry_point import main

__all__ = ["COMMANDS", "TRAINER_VERBS", "main"]
