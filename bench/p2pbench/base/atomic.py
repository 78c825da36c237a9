# SPDX-License-Identifier: GPL-2.0
"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import shown


class WriteError(BenchError):
    """Files that could not be written; older ones are as they were."""


def make_directory(directory: Path) -> None:
    """Make a directory for files unless it is there; WriteError when that cannot be."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"cannot make {shown(directory)}: {error.strerror}; mend that and run the same again"
        ) from error


def replace_all(directory: Path, texts: Mapping[str, str], repair: str) -> None:
    """Write every file beside its place and sync it; rename them only when all are there.

    `repair` says how to go on once there is room.
    """
    temporary = {name: directory / f".{name}.{os.getpid()}.tmp" for name in texts}
    try:
        for name, text in texts.items():
            # The name of a file or of a run may be no text.
            with open(temporary[name], "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        for name in texts:
            os.replace(temporary[name], directory / name)
    except OSError as error:
        raise WriteError(
            f"{directory}: cannot write {', '.join(texts)}: {error.strerror}; what was there is "
            f"untouched, so mend that and {repair}"
        ) from error
    finally:
        for path in temporary.values():
            with contextlib.suppress(OSError):  # a read-only disk refuses even what is not there
                path.unlink(missing_ok=True)
