# SPDX-License-Identifier: GPL-2.0
"""A run: the plan, the kernels it needs, and the journal that it can be resumed from."""

import contextlib
import functools
import itertools
import random
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from p2pbench.analysis.questions import questions
from p2pbench.analysis.samples import Samples, planned_pairs
from p2pbench.analysis.schedule import looks_of, plan_looks
from p2pbench.base import cache
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import RESULTS, shown
from p2pbench.base.units import in_words
from p2pbench.linux import compare_builds
from p2pbench.linux.builder import Builder
from p2pbench.linux.kernel import Kernel, build, expected
from p2pbench.linux.symbols import Function, differing, read_functions
from p2pbench.measure import beside, load, stopping
from p2pbench.measure.boot import BootRun, Record, cmdline_of
from p2pbench.measure.stopping import Budget
from p2pbench.plan.matrix import REQUIRED, Boot, Matrix, matrix_from_json
from p2pbench.plan.matrix_file import read_matrix
from p2pbench.plan.matrix_variants import check_revisions, variant_of
from p2pbench.records.journal import SCHEMA, Journal
from p2pbench.records.kinds import COUNT
from p2pbench.records.metrics import with_aa
from p2pbench.records.records import Header
from p2pbench.records.runs import JOURNAL, find_run, named
from p2pbench.testbed import provenance
from p2pbench.testbed.instruments import Counter, Instrument
from p2pbench.testbed.testbed import Testbed
from p2pbench.testbed.testbeds import open_testbed


class Run:
    """One run of a matrix, new or resumed.

    Its directory is made, and so named, when all that the boots need has been built; selection
    are pytest's options that chose among the boots of the matrix.
    """

    def __init__(
        self, matrix: Matrix, seed: int, journal: Journal | None, budget_s: float | None = None
    ) -> None:
        self.matrix = matrix
        self.seed = seed
        self.journal = journal
        self.selection: list[str] = []
        self.kernels: dict[str, Kernel] = {}
        self._functions_read: dict[str, list[Function]] = {}
        self._builder: Builder | None = None
        self.first: list[Boot] = []
        self.testbed: Testbed = open_testbed(matrix.testbed)
        load.check(matrix, self.testbed.shape)
        load.check_bars(matrix, self.testbed)
        self.at_once = self.testbed.at_once()
        self._to_run: list[Boot] = []
        self._running = beside.Running()
        self._early: dict[str, Record] = {}
        self.budget: Budget | None = None
        self._block = -1
        self._estimate: Estimate | None = None
        if journal:
            self.looks = looks_of(journal.header)
            self.plan = [Boot(**entry) for entry in journal.header["plan"]]
        else:
            self.looks = plan_looks(matrix.blocks, matrix.most_blocks, budget_s)
            self.select(matrix.plan(seed, self.looks.blocks[-1]))

    @classmethod
    def new(cls, matrix_file: Path, seed: int | None, budget_s: float | None = None) -> "Run":
        """Start a run of a matrix file; without a seed, draw one (it is recorded)."""
        matrix = read_matrix(matrix_file)
        chosen = random.SystemRandom().randrange(1 << 31) if seed is None else seed
        return cls(matrix, chosen, None, budget_s)

    @classmethod
    def resume(cls, name: str) -> "Run":
        """Go on with a run; its name or the path of its directory says which."""
        journal = Journal.open(find_run(name) / JOURNAL)
        matrix = matrix_from_json(dict(journal.header["matrix"]))
        check_revisions(matrix.variants)
        return cls(matrix, journal.header["seed"], journal)

    @property
    def directory(self) -> Path:
        """Where the run is kept; there is none before its journal is."""
        assert self.journal
        return self.journal.path.parent

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.directory.name

    @property
    def go_on(self) -> str:
        """The command that goes on with it."""
        return f"make bench RESUME={named(self.directory)}"

    def remaining(self) -> list[Boot]:
        """Return the boots that still have to run, in order."""
        done = self.journal.finished() | set(self.journal.skipped) if self.journal else set()
        return [boot for boot in self.plan if boot.boot not in done]

    def notes(self) -> list[str]:
        """Return what is to be known of the matrix before it runs."""
        return load.pool_notes(self.matrix, self.testbed.shape) + load.count_notes(self.matrix)

    def select(self, boots: list[Boot]) -> None:
        """Plan these boots and no others, and what each look may decide with so many cells."""
        if self.journal:
            return
        self.plan = boots
        self.looks = self.looks.shared(self.cells())

    def cells(self) -> dict[str, int]:
        """How many cells the plan compares, by the family that Holm corrects together."""
        families = [question.family for question in questions(self._header_of(self.plan))]
        return {family: families.count(family) for family in with_aa()}

    def blocks_of_cells(self, family: str) -> list[tuple[int, int]]:
        """In how many blocks each cell is compared: of the plan, and as far as a budget may go."""
        plans = self.plan, self.matrix.plan(self.seed, self.matrix.most_blocks)
        planned, most = (Samples(self._header_of(plan), ()) for plan in plans)
        return [
            (len(planned_pairs(planned, question)), len(planned_pairs(most, question)))
            for question in questions(planned.header)
            if question.family == family
        ]

    def _header_of(self, plan: list[Boot]) -> Any:
        """What of a journal's header the questions are asked by."""
        return {"matrix": self.matrix.as_json(), "plan": [vars(boot) for boot in plan]}

    def check_budget(self, boots: list[Boot]) -> None:
        """Refuse a budget that does not hold one block, before anything is built or booted."""
        if not self.looks.budget_s or self.journal:
            return
        first = [boot for boot in boots if boot.block == boots[0].block]
        needed = self.estimate(first).remaining_s()
        if needed > self.looks.budget_s:
            raise BenchError(
                f"BUDGET of {in_words(self.looks.budget_s)}: one block of "
                f"{self.matrix.file} is {len(first)} boots and takes about "
                f"{in_words(needed)}; give more, or a matrix with fewer cells"
            )

    def estimate(self, boots: list[Boot]) -> "Estimate":
        """Return how long boots will take."""
        return Estimate(self.matrix, boots, self.at_once, self.testbed.typical_boot_s)

    def prepare(self, boots: list[Boot]) -> None:
        """Check the machine, build what the first boots need, and open the journal.

        Kernels that are missing are built one after another, each from the objects of one that
        is near to it. Some boots run first, while the last of them are still being built.
        """
        self.kernels = self._kernels_of(boots)
        kernels = list(dict.fromkeys(self.kernels.values()))
        if self.journal:
            self._check_kernels(self.journal.header)
        self.testbed.check(boots, kernels)
        counted = any(boot.kind == COUNT for boot in boots)
        emulated = counted and self.matrix.virtual_time == REQUIRED
        if emulated:
            # Where there is no virtual time, nothing is built in vain.
            self.testbed.choose_virtual_time()
            self._heed_instrument()
        self.first = self.boots_beside_builds(boots)
        later = self._built_later(kernels)
        for kernel in kernels:
            if kernel not in later:
                # One that is there is looked at, too, and kept from being pruned.
                build(kernel.variant, self.matrix.flavour)
        if later:
            self._builder = Builder(later)
        if not emulated:
            built = self.kernels[self.first[0].variant] if self.first else kernels[0]
            self.testbed.choose(built, counted)
            self._heed_instrument()
        if self.journal:
            self._check_machine(self.journal.header)
        else:
            self._create(boots)

    def _heed_instrument(self) -> None:
        """Without virtual time the instrument counts what the machine's load adds, too.

        No boot then runs beside another one, or while a kernel is being built.
        """
        if not self.testbed.instrument:
            return
        self._check_virtual_time(self.testbed.instrument)
        if not self.testbed.instrument.icount:
            self.at_once = 1
            self.first = []

    def _check_virtual_time(self, instrument: Instrument) -> None:
        """Refuse a matrix that cannot do without virtual time where there is none."""
        if self.matrix.virtual_time == REQUIRED and not instrument.icount:
            raise BenchError(
                f"{self.matrix.file} requires virtual time, and there is none here: "
                f"{instrument.real_time or instrument.reason}; make that work, or "
                'leave virtual_time = "required" out: the rest is then measured'
            )

    def _kernels_of(self, boots: list[Boot]) -> dict[str, Kernel]:
        """Return the kernel of each variant, those with the fewest patches first.

        Variants that the matrix defines may have the same one.
        """
        names = sorted({boot.variant for boot in boots})
        kernels = {
            name: expected(variant_of(name, self.matrix.variants), self.matrix.flavour)
            for name in {self.matrix.kernel_of(name) for name in names}
        }
        pairs = {name: kernels[self.matrix.kernel_of(name)] for name in names}
        return dict(sorted(pairs.items(), key=lambda pair: len(pair[1].variant.patches())))

    def boots_beside_builds(self, boots: list[Boot]) -> list[Boot]:
        """Return the boots that run first, while kernels are still being built.

        They only count, which no load of the machine changes in virtual time, and their kernels
        are there before the last one. A run with a budget or one that is resumed has none.
        """
        missing = [
            kernel
            for kernel in dict.fromkeys(self.kernels.values())
            if not kernel.directory.is_dir()
        ]
        if not missing or self.journal or self.looks.budget_s:
            return []
        cached = [name for name, kernel in self.kernels.items() if kernel not in missing]
        built = [name for name, kernel in self.kernels.items() if kernel in missing[:-1]]
        before = cached + built
        counts = [boot for boot in boots if boot.kind == COUNT and boot.variant in before]
        return sorted(counts, key=lambda boot: before.index(boot.variant))

    def _built_later(self, kernels: list[Kernel]) -> list[Kernel]:
        """Return the kernels that are built while the first boots run."""
        if not self.first:
            return []
        return [
            kernel
            for kernel in kernels
            if not kernel.directory.is_dir() and kernel != self.kernels[self.first[0].variant]
        ]

    def _create(self, boots: list[Boot]) -> None:
        made_from = self._provenance()
        kept = None if self._builder else compare_builds.collect(set(self.kernels.values()))
        directory = _new_directory(self.matrix.name)
        header = {
            "type": "run",
            "schema": SCHEMA,
            "run": directory.name,
            "seed": self.seed,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "environment_class": self.testbed.environment_class,
            "matrix": self.matrix.as_json(),
            "plan": [vars(boot) for boot in boots],
            "stopping": self.looks.as_json(),
            "selection": self.selection,
            "kernels": {name: kernel.key for name, kernel in self.kernels.items()},
            "provenance": made_from,
            "static": kept,
        }
        try:
            self.journal = Journal.create(directory / JOURNAL, header)
        except BaseException:
            with contextlib.suppress(OSError):
                directory.rmdir()
            raise

    def _provenance(self) -> dict[str, Any]:
        """Return what the run is made from, as far as it has been built."""
        built = {name: kernel for name, kernel in self.kernels.items() if kernel.directory.is_dir()}
        collected = provenance.collect(built, self.matrix.variants, self.testbed)
        if self.testbed.instrument:
            functions = {name: self._functions(kernel) for name, kernel in built.items()}
            collected |= {
                "instrument": self.testbed.instrument.provenance(),
                "symbols": differing(functions),
            }
        return collected

    def _functions(self, kernel: Kernel) -> list[Function]:
        """Return the functions of a kernel; its map is read once."""
        name = kernel.variant.name
        if name not in self._functions_read:
            self._functions_read[name] = read_functions(kernel.directory, kernel.variant.release)
        return self._functions_read[name]

    def _wait_for_kernels(self, boot: Boot, stage: Callable[[str], None]) -> None:
        """Wait for what a boot needs: its kernel if it is one of the first, else for all of them.

        The last boot is none of these, so that the journal learns of every kernel.
        """
        assert self.journal
        if self._builder:
            self._builder.wait(lambda: self.may_begin(boot), stage)
            if not self._builder.is_busy():
                self._end_building()
                for kernel in self.kernels.values():
                    cache.use(kernel.directory)
        if not self._builder and not self.journal.header.get("static"):
            self.journal.append_kernels(
                self._provenance(), compare_builds.collect(set(self.kernels.values()))
            )

    def may_begin(self, boot: Boot) -> bool:
        """Say whether a boot may run although not all kernels are built."""
        return boot in self.first and self.kernels[boot.variant].directory.is_dir()

    def end(self) -> None:
        """End the boots that run and the building of kernels, however far they are."""
        self._running.stop()
        self._end_building()

    def _end_building(self) -> None:
        if self._builder:
            self._builder.stop()
            self._builder = None

    def _check_kernels(self, header: Header) -> None:
        """Refuse to go on with a run on other kernels than it began with."""
        # The provenance has those that were built when it ended; so had older runs all of them.
        keys = header.get("kernels") or {
            name: variant["key"] for name, variant in header["provenance"]["variants"].items()
        }
        for name, kernel in self.kernels.items():
            began = keys[name]
            if began != kernel.key:
                raise BenchError(
                    f"run {self.name} began with another build of {name} ({began}, "
                    f"now {kernel.key}): its patches, fragments or compiler changed; "
                    "start a new run"
                )

    def _check_machine(self, header: Header) -> None:
        """Refuse to go on with a run on another testbed, or with another agent in the machine."""
        for tool, now in self.testbed.identity().items():
            began = header["provenance"]["tools"][tool]
            if began != now:
                raise BenchError(
                    f"run {self.name} began with another {tool.upper()} ({began}, now "
                    f"{now}); start a new run"
                )
        instrument = self.testbed.instrument
        counted_by = header["provenance"].get("instrument")
        if instrument and counted_by != instrument.provenance():
            raise BenchError(
                f"run {self.name} began to count with another instrument "
                f"({counted_by}, now {instrument.provenance()}); start a new run"
            )
        if header["environment_class"] != self.testbed.environment_class:
            raise BenchError(
                f"run {self.name} is of class {header['environment_class']}, this "
                f"machine now gives {self.testbed.environment_class}; start a new run"
            )
        for name, kernel in self.kernels.items():
            variant = header["provenance"]["variants"].get(name)
            now = self.testbed.image_of(kernel)
            began = variant.get("image") if variant else now
            if began != now:
                raise BenchError(
                    f"run {self.name} began with another guest image ({began}, now "
                    f"{now}): the agent, the provider module or a tool changed; start "
                    "a new run"
                )

    def begin(self, boots: list[Boot], estimate: "Estimate") -> None:
        """Start the clock of a run with a budget; estimate says how long a block takes.

        boots are those that will be executed, in their order.
        """
        assert self.journal
        self._to_run = boots
        self._estimate = estimate
        if self.looks.budget_s:
            self.budget = Budget(self.looks.budget_s, self.journal.spent_s)

    def why_not(self, boot: Boot, say: Callable[[str], None]) -> str:
        """Why a boot is left out, "" for one that is to run. say is told of every look."""
        assert self.journal and self._estimate
        if not self.budget:
            return ""
        if boot.block != self._block:
            self._block = boot.block
            self._begin_block(boot.block, self.budget, say)
        return self.journal.skipped.get(boot.boot, "")

    def _begin_block(self, block: int, budget: Budget, say: Callable[[str], None]) -> None:
        """Take the look that is due, then see whether the budget holds the block."""
        assert self.journal and self._estimate
        found = stopping.take_look(self.journal, block, budget.spent_s())
        if found:
            verdicts = [one.verdict for one in found]
            say(
                f"look after {block} blocks: "
                + ", ".join(
                    f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts)
                )
            )
        mine = [boot for boot in self.remaining() if boot.block == block]
        needed = self._estimate.of(mine)
        if block and mine and not budget.holds(needed):
            say(stopping.end_by_budget(self.journal, block, budget, needed))

    def execute(
        self, boot: Boot, stage: Callable[[str, str], None], ended: Callable[[Record], None]
    ) -> Record:
        """Run one boot, and beside it those that may; return its record.

        Each boot is written to the journal when it ends, and ended is told of it. stage is told
        by the boot's name what is going on.
        """
        assert self.journal
        try:
            if not self._is_begun(boot):
                self._wait_for_kernels(boot, functools.partial(stage, boot.boot))
                self._begin_boot(boot)
            while boot.boot not in self._early:
                self._begin_followers(boot)
                record = self._running.wait(stage)
                self.journal.append(record)
                self._early[record["boot"]] = record
                ended(record)
        except OSError as error:
            raise BenchError(
                f"{shown(self.directory)}: {error.strerror}; what was written before is whole"
            ) from None
        return self._early.pop(boot.boot)

    def _is_begun(self, boot: Boot) -> bool:
        return boot.boot in self._running or boot.boot in self._early

    def _begin_followers(self, boot: Boot) -> None:
        """Begin the boots that may run beside one, as many as there is room for."""
        assert self.journal
        for follower in beside.followers(self._to_run, boot, bool(self.budget)):
            if len(self._running) >= self.at_once or self._builder and not self.may_begin(follower):
                break
            if not self._is_begun(follower) and follower.boot not in self.journal.skipped:
                self._begin_boot(follower)

    def _begin_boot(self, boot: Boot) -> None:
        kernel = self.kernels[boot.variant]
        raw = self.directory / "raw"
        counter = None
        if boot.kind == COUNT and self.testbed.instrument:
            counter = Counter(
                self.testbed.instrument, boot.variant, self._functions(kernel), raw / boot.boot
            )
        consoles = self.directory / "console"
        consoles.mkdir(exist_ok=True)
        self.testbed.prepare(kernel)
        run = BootRun(
            boot,
            self.matrix,
            self.seed,
            raw,
            functools.partial(self._running.say, boot.boot),
            counter,
        )
        machine = self.testbed.machine(
            boot, kernel, cmdline_of(boot, self.matrix), consoles / f"{boot.boot}.log", counter
        )
        self._running.begin(boot.boot, functools.partial(run.run, machine), run.stop)


def _new_directory(matrix: str) -> Path:
    """Make the directory of a run that begins now; another one may begin in the same second."""
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    for number in itertools.count(1):
        directory = RESULTS / (f"{stamp}-{matrix}" + (f"-{number}" if number > 1 else ""))
        try:
            directory.mkdir(parents=True)
            return directory
        except FileExistsError:
            if not directory.exists():  # a file is in the way, where results/ should be
                raise BenchError(f"cannot make {shown(directory)}: a file is in its way") from None
        except OSError as error:
            raise BenchError(
                f"cannot make {shown(directory)}: {error.strerror}; nothing was run, "
                "so mend that and start again"
            ) from None
    raise AssertionError("there is always a next number")


class Estimate:
    """How long the rest of a run takes: first by the matrix, then by the boots that are done."""

    # What a workload takes beyond its runtime.
    _WORKLOAD_S = 0.5

    def __init__(self, matrix: Matrix, boots: list[Boot], at_once: int, boot_s: float) -> None:
        self._boots = boots
        self._boot_s = boot_s
        self._at_once = at_once
        self._expected = {boot.boot: self._guess(matrix, boot) for boot in boots}
        self._guessed = 0.0
        self._took = 0.0
        self._started = time.monotonic()

    def _guess(self, matrix: Matrix, boot: Boot) -> float:
        return self._boot_s + sum(
            (workload.runtime_s + self._WORKLOAD_S) * (matrix.rounds if workload.is_timed() else 1)
            for workload in matrix.workloads_for(boot.provider, boot.variant)
            if workload.is_run_in(boot.block)
        )

    def done(self, boot: str, seconds: float) -> None:
        """Take note of a finished boot."""
        self._guessed += self._expected.pop(boot)
        self._took += seconds

    def skip(self, boot: str) -> None:
        """Take note of a boot that is left out."""
        self._expected.pop(boot)

    def of(self, boots: list[Boot]) -> float:
        """Return the seconds that these boots, still to come, will take."""
        to_come = [boot for boot in boots if boot.boot in self._expected]
        return self._factor() * beside.wall_s(to_come, self._expected, self._at_once)

    def remaining_s(self) -> float:
        """Return the seconds that the boots still to come will take."""
        return self.of(self._boots)

    def _factor(self) -> float:
        return self._took / self._guessed if self._guessed else 1.0
