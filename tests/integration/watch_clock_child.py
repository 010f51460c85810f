"""walconsole, by a wall clock that is set by as many seconds as stand in the file $CLOCK_SET_S.

Its own clocks alone, and those of what it imports in Python: a request to a store is signed by the true time,
which the store would refuse otherwise.
"""

import os
import sys
import time
from pathlib import Path

_true_time, _FILE = time.time, Path(os.environ["CLOCK_SET_S"])


def _set_time() -> float:
    return _true_time() + float(_FILE.read_text())


time.time = _set_time

from walconsole.cli import main  # noqa: E402  # after the clock was set

sys.exit(main())
