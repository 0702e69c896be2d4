"""`python -m segapp` is `segapp`."""

import sys

from segapp.cli import main

if __name__ == "__main__":
    sys.exit(main())
