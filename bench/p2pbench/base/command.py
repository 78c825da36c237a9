# SPDX-License-Identifier: GPL-2.0
"""A command of the harness, from its start to its exit status."""

import sys
from collections.abc import Callable

from p2pbench.base import output, signals
from p2pbench.base.errors import BenchError

FAILED = 2


def run(main: Callable[[], int]) -> int:
    """Run a command and return its exit status.

    Whatever ends it is one line on standard error: a mistake of the user's, a disk, a signal.
    """
    output.keep_going()
    signals.catch()
    try:
        return main()
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
    except signals.Ended as end:
        print(end, file=sys.stderr)
        return end.status
    return FAILED
