"""Kernels that are built by a process of their own, one after another, while boots run."""

import sys
import time
from collections.abc import Callable, Sequence

from . import program, progress
from .errors import BenchError
from .kernel import Kernel
from .paths import BUILD, ROOT, own_environment, shown

_POLL_S = 0.5


class Builder:
    """Builds kernels in their order, from when it is made until it is stopped."""

    def __init__(self, kernels: Sequence[Kernel]) -> None:
        self._log = BUILD / "kernels.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        names = " ".join(kernel.variant.name for kernel in kernels)
        with self._log.open("w") as stream:
            self._process = program.start(
                sys.executable, "-m", "p2pbench", "linux", "--flavour", kernels[0].flavour,
                "--variant", names, cwd=ROOT, output=stream,
                extra=own_environment())

    def is_busy(self) -> bool:
        """Say whether something is still being built. Raises BenchError when that failed."""
        status = self._process.poll()
        if status:
            text = self._log.read_text(errors="replace")
            reason = program.why(text).removeprefix("error: ")
            raise BenchError(f"{reason} (all that was said is in {shown(self._log)})")
        return status is None

    def wait(self, ready: Callable[[], bool], stage: Callable[[str], None]) -> None:
        """Wait until something is ready or all is built; stage is told how far that is."""
        while self.is_busy() and not ready():
            stage(progress.current() or "waiting for a kernel")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End the building, however far it is."""
        program.stop(self._process)
