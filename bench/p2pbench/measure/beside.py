# SPDX-License-Identifier: GPL-2.0
"""Boots beside each other: one that only counts does not mind what else the machine does.

A guest that counts keeps one CPU busy. All other boots have the machine to themselves, since what
they measure is time.
"""

import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from p2pbench.measure.boot import Record
from p2pbench.plan.matrix import Boot
from p2pbench.records.kinds import COUNT


def followers(boots: Sequence[Boot], boot: Boot, in_its_block: bool) -> Iterator[Boot]:
    """The boots that may run beside one of them: those that follow it, as far as all only count.

    in_its_block: those of later blocks may not, as they are not to begin before a look.
    """

    def may(other: Boot) -> bool:
        return other.kind == COUNT and not (in_its_block and other.block != boot.block)

    place = boots.index(boot)
    if may(boot):
        yield from itertools.takewhile(may, boots[place + 1 :])


def wall_s(boots: Sequence[Boot], seconds: Mapping[str, float], at_once: int) -> float:
    """Return the seconds that boots take in this order, so many of those that count at once.

    seconds is what each of them takes by itself, by its name.
    """
    total = 0.0
    for counts, group in itertools.groupby(boots, lambda boot: boot.kind == COUNT):
        free = [0.0] * (at_once if counts else 1)
        for boot in group:
            heapq.heapreplace(free, free[0] + seconds[boot.boot])
        total += max(free)
    return total


class Running:
    """The boots that run now, each in a thread of its own, and what they have to say.

    The thread outlives the guest: the kernel kills a guest whose thread ends. Whoever waits is
    told all that the boots say, so that nothing else must know of threads.
    """

    def __init__(self) -> None:
        self._said: queue.SimpleQueue[
            tuple[str, str | Record | BaseException]
        ] = queue.SimpleQueue()
        self._threads: dict[str, threading.Thread] = {}
        self._stops: dict[str, Callable[[], None]] = {}
        self._since = 0.0

    def __contains__(self, boot: str) -> bool:
        return boot in self._threads

    def __len__(self) -> int:
        return len(self._threads)

    def say(self, boot: str, stage: str) -> None:
        """Let a boot say which stage it is in."""
        self._said.put((boot, stage))

    def begin(self, boot: str, run: Callable[[], Record], stop: Callable[[], None]) -> None:
        """Begin a boot: run returns its record, stop ends it from another thread."""
        if not self._threads:
            self._since = time.monotonic()
        self._stops[boot] = stop
        self._threads[boot] = threading.Thread(target=self._work, args=(boot, run), daemon=True)
        self._threads[boot].start()

    def wait(self, stage: Callable[[str, str], None]) -> Record:
        """Return the record of the boot that ends next; stage is told of every boot's stage.

        "took_s" is the time of the run that it took: what two boots share counts once. What a boot
        raises is raised here.
        """
        while True:
            boot, said = self._said.get()
            if isinstance(said, str):
                stage(boot, said)
                continue
            self._threads.pop(boot).join()
            del self._stops[boot]
            if isinstance(said, BaseException):
                raise said
            now = time.monotonic()
            took_s, self._since = now - self._since, now
            return said | {"took_s": round(took_s, 3)}

    def stop(self) -> None:
        """End all of them and their guests; nothing of them is kept."""
        for stop in self._stops.values():
            stop()
        for thread in self._threads.values():
            if thread.is_alive():
                thread.join()
        self._threads.clear()
        self._stops.clear()

    def _work(self, boot: str, run: Callable[[], Record]) -> None:
        try:
            self._said.put((boot, run()))
        except BaseException as error:
            self._said.put((boot, error))
