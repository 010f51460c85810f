"""`python -m walconsole`."""

import sys

from walconsole.cli import main

if __name__ == "__main__":
    sys.exit(main())
