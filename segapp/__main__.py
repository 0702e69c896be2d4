"""`python -m segapp` is `segapp`."""

import sys

from segapp.system.user_modules import leave_current_folder

if __name__ == "__main__":
    leave_current_folder()

try:
    from segapp.cli import main
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
