# SPDX-License-Identifier: GPL-2.0
"""The one kind of error that a user is meant to read."""


class BenchError(Exception):
    """Says in one line what was expected, what came, and what to do about it.

    The front ends print it without a traceback; their exit status is not 0.
    """
