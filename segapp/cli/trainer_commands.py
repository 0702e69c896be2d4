"""`segapp fit`, `validate` and `test`: Lightning's command line, without its traps.

* The settings of a checkpoint come first, so that a checkpoint alone restores model and
  data, and all that the user types or names in a config overrides them.
* Scoring without a usable checkpoint is refused, as are URLs and pickles that hold code.
* Runs have one place and one set of files, whatever the verb.
"""

import yaml
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from segapp.cli.arguments import Arguments
from segapp.cli.segmentation_cli import SegmentationCLI
from segapp.errors import MisuseError, SegappError
from segapp.training.console import silence_libraries
from segapp.training.dry_run import remove_scratch
from segapp.training.run_folder import remove_if_empty
from segapp.training.watchdog import is_reported_by_rank_zero, watch_processes


def run(arguments: Arguments) -> int:
    """Run `fit`, `validate` or `test` and return the exit code; raise SegappError for what the user can fix."""
    silence_libraries()
    watch_processes()
    try:
        SegmentationCLI(arguments)
    except MisconfigurationException as error:
        raise MisuseError(" ".join(str(error).split())) from error
    except SegappError as error:
        if is_reported_by_rank_zero(error):
            raise SystemExit(error.exit_code) from error
        raise
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MisuseError(f"a config is not valid YAML: {' '.join(str(error).split())}.") from error
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        return int(stop.code or 0)
    finally:
        remove_scratch()
        remove_if_empty()
    return 0
