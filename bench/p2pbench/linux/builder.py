# SPDX-License-Identifier: GPL-2.0
"""Kernels that are built by a process of their own, one after another, while boots run."""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from p2pbench.base import program
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import ROOT, own_environment
from p2pbench.linux import build_progress
from p2pbench.linux.kernel import Kernel
from p2pbench.linux.variants import own_as_json

_POLL_S = 0.5


class Builder:
    """Builds kernels in their order, from when it is made until it is stopped."""

    def __init__(self, kernels: Sequence[Kernel]) -> None:
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        names = " ".join(kernel.variant.name for kernel in kernels)
        # A branch of the user's may move on meanwhile: they are built as they were when it began.
        own = own_as_json(kernel.variant for kernel in kernels)
        self._process = program.start(
            sys.executable,
            "-m",
            "p2pbench",
            "linux",
            "--flavour",
            kernels[0].flavour,
            "--variant",
            names,
            "--own",
            own,
            cwd=ROOT,
            output=self._said,
            extra=own_environment(),
        )

    def is_busy(self) -> bool:
        """Say whether something is still being built. Raises BenchError when that failed."""
        status = self._process.poll()
        if status:
            self._said.seek(0)
            raise BenchError(program.why(self._said.read()).removeprefix("error: "))
        return status is None

    def wait(self, ready: Callable[[], bool], stage: Callable[[str], None]) -> None:
        """Wait until something is ready or all is built; stage is told how far that is."""
        while self.is_busy() and not ready():
            stage(build_progress.current() or "waiting for a kernel")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End the building, however far it is."""
        if self._process.poll() is None:
            program.stop(self._process)
