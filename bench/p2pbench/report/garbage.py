# SPDX-License-Identifier: GPL-2.0
"""Garbage is collected less often while much is made that is not garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Objects that are made between two collections; Python's own figure is 700.
_OBJECTS = 200_000


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Collect seldom: the data of a journal have no cycles, and going through them takes time."""
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
