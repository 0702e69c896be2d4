"""`python -m segapp` is `segapp`."""

import sys

try:
    from segapp.cli import main
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
