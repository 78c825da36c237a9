# SPDX-License-Identifier: GPL-2.0
"""One boot of the plan: from the machine's start to its record for the journal."""

import re
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from p2pbench.base.paths import published
from p2pbench.measure import fio, rounds
from p2pbench.plan.matrix import Boot, Matrix, Workload
from p2pbench.records import evidence, virtual_time
from p2pbench.records.kinds import COUNT, FIO, ORDINARY, PATTERN, has_queues_in_cmb
from p2pbench.testbed.channel import AgentError, ChannelLost
from p2pbench.testbed.instruments import Counter
from p2pbench.testbed.machine import LostMachine, Machine

Record = dict[str, Any]

# A cell's time beyond fio's own: starting fio and sampling, on a machine of scale 1.
_FIO_GRACE_S = 60.0
# A counted workload's, on a machine of scale 1.
_COUNT_S = 120.0
# A parameter of a module on the kernel's command line.
_PARAMETER = re.compile(r"(?:^| )([\w-]+)\.(\w+)=")
# What a kernel says when something is wrong with it, rather than with a device; DMA that an IOMMU
# stops, and a command that a disk does not answer, are taken for its own mistakes.
COMPLAINT = re.compile(
    r"\b(BUG:|WARNING: |KASAN|UBSAN|kmemleak: \d+ new|INFO: task .* blocked|"
    r"INFO: possible |soft lockup|rcu: INFO|DMA-API: .*(device driver|"
    r"exceed)|Oops|general protection|refcount_t|DMAR: \[DMA|"
    r"AMD-Vi: Event logged \[|nvme nvme\d+: I/O \d+ .*QID \d+ timeout)"
)


def boot_cmdline(provider: str = "") -> str:
    """Return the kernel parameters of a boot that runs cells.

    The whole CMB is a pool, without queues in it unless the provider's name says so; the
    tests that live in a kernel stay off.
    """
    return f"nvme.use_cmb_sqes={int(has_queues_in_cmb(provider))} kunit.enable=0"


def cmdline_of(boot: Boot, matrix: Matrix) -> str:
    """Return all kernel parameters of a boot: those of its provider, and of its variant."""
    return f"{boot_cmdline(boot.provider)} {matrix.cmdline_of(boot.variant)}".rstrip()


class BootRun:
    """Runs the workloads of one boot and collects its record.

    The record is complete whatever happens: a lost machine and a failed step
    are part of it. Only what is the user's to mend (BenchError) is raised.
    """

    def __init__(
        self,
        boot: Boot,
        matrix: Matrix,
        seed: int,
        raw: Path,
        stage: Callable[[str], None],
        counter: Counter | None = None,
    ) -> None:
        self._boot = boot
        self._counter = counter
        self._matrix = matrix
        self._seed = seed
        self._raw = raw
        self._stage = stage
        self._round = 1
        self._machine: Machine | None = None
        self._stopped = False
        self.record: Record = {
            "type": "boot",
            **asdict(boot),
            "status": "ok",
            "error": None,
            "lost": None,
            "boot_s": None,
            "setup": None,
            "memory": None,
            "workloads": [],
            "teardown": None,
            "qemu_command": [],
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }

    def run(self, machine: Machine) -> Record:
        """Boot, run every workload, tear down; return the record."""
        started = time.monotonic()
        self._stage("booting")
        self._machine = machine
        if self._stopped:
            machine.kill()
        try:
            with machine:
                self.record["boot_s"] = round(machine.boot_s, 3)
                try:
                    self._orders(machine)
                except ChannelLost as error:
                    raise machine.lost(error) from None
        except LostMachine as error:
            self.record["status"] = "lost"
            self.record["lost"] = {
                "stage": error.lost.stage,
                "reason": error.lost.reason,
                "console": error.lost.console,
            }
        except AgentError as error:
            self._fail(error.as_json())
        self.record["qemu_command"] = [published(part) for part in machine.command]
        self.record["duration_s"] = round(time.monotonic() - started, 3)
        return self.record

    def stop(self) -> None:
        """End the boot from another thread, begun or not; its machine is lost."""
        self._stopped = True
        if self._machine:
            self._machine.kill()

    def _fail(self, error: dict[str, str]) -> None:
        self.record["status"] = "failed"
        self.record["error"] = self.record["error"] or error

    def _orders(self, machine: Machine) -> None:
        channel = machine.channel
        self.record["machine"] = channel.order("info")
        self._check_parameters(machine)
        if self._boot.index == 0:  # all boots have the same image: once a run is enough
            self.record["machine"]["tools"] = channel.order("tools")
        workloads = [
            one
            for one in self._matrix.workloads_for(self._boot.provider, self._boot.variant)
            if one.is_run_in(self._boot.block)
        ]
        if self._boot.kind == COUNT:
            self._run_all(machine, [one for one in workloads if one.kind == ORDINARY])
            peer = [one for one in workloads if one.kind != ORDINARY]
            for device in dict.fromkeys(one.device for one in peer):
                self._with_provider(
                    machine,
                    machine.setup_args(device),
                    [one for one in peer if one.device == device],
                )
        else:
            self._with_provider(machine, machine.setup_args(self._boot.provider), workloads)
        self._kernel_log(machine)

    def _check_parameters(self, machine: Machine) -> None:
        """The kernel must know the modules' parameters that a matrix's variant is defined by.

        It ignores one that it does not know, and the variant would be another without a word.
        """
        for module, name in _PARAMETER.findall(self._matrix.cmdline_of(self._boot.variant)):
            path = f"/sys/module/{module.replace('-', '_')}/parameters/{name}"
            test = {"line": f"test -e {path}", "deadline_s": 30}
            answer = machine.channel.order("command", test, 60)
            if answer["exit"]:
                raise AgentError(
                    "parameters",
                    {
                        "expected": f"a kernel with the parameter {module}.{name}, shown in sysfs",
                        "got": f"no {path}",
                    },
                    answer,
                )

    def _with_provider(
        self, machine: Machine, setup: dict[str, Any], workloads: list[Workload]
    ) -> None:
        channel = machine.channel
        self._stage("setup")
        self.record["setup"] = channel.order("setup", setup, 120)
        self.record["memory"] = channel.order("memory")
        self._run_all(machine, workloads)
        self._stage("teardown")
        try:
            self.record["teardown"] = channel.order("teardown", deadline_s=120)
        except AgentError as error:
            self._fail(error.as_json())

    def _run_all(self, machine: Machine, workloads: list[Workload]) -> None:
        """Run the workloads one after another, those that are timed by the wall in rounds."""
        results: dict[str, list[Record]] = {workload.name: [] for workload in workloads}
        last = self._matrix.rounds
        for self._round in range(1, last + 1):
            for workload in workloads:
                if self._round < last and not workload.is_timed():
                    continue
                self._stage(workload.name)
                results[workload.name].append(self._workload(machine, workload))
                if self._round == last:
                    self.record["workloads"].append(rounds.merged(results[workload.name]))

    def _kernel_log(self, machine: Machine) -> None:
        if self._matrix.flavour == "debug":
            self._leaks(machine)
        lines = machine.channel.order("kernel-log")["lines"]
        self._write("kernel.log", "\n".join(lines) + "\n")
        complaints = [line for line in lines if COMPLAINT.search(line)]
        if complaints:
            self._fail(
                {
                    "step": "kernel-log",
                    "expected": "no complaint of the kernel",
                    "got": f"{complaints[0]} (raw/{self._boot.boot}/kernel.log)",
                }
            )

    def _leaks(self, machine: Machine) -> None:
        """Look for memory that nothing points to any more; the kernel's log says how much.

        An object must be 5 s old to count, and one scan may miss a pointer that moves.
        """
        self._stage("kmemleak")
        found = machine.channel.order(
            "command",
            {
                "deadline_s": 300,
                "line": "cd /sys/kernel/debug && echo scan >kmemleak && sleep 6 && "
                "echo scan >kmemleak && cat kmemleak",
            },
            360,
        )
        self._write("kmemleak", found["stdout"] + found["stderr"])

    def _workload(self, machine: Machine, workload: Workload) -> Record:
        """Run one workload; an error of the agent fails the cell, not the boot."""
        entry: Record = {
            "name": workload.name,
            "status": "ok",
            "error": None,
            "reasons": [],
            "metrics": None,
            "evidence": None,
        }
        run = {PATTERN: self._pattern, FIO: self._fio}.get(workload.kind, self._count)
        try:
            run(machine, workload, entry)
        except AgentError as error:
            entry |= {"status": "failed", "error": error.as_json()}
            return entry
        if entry["status"] == "ok":
            entry["reasons"] = self._judge(workload, entry)
            entry["status"] = "invalid" if entry["reasons"] else "ok"
        return entry

    def _judge(self, workload: Workload, entry: Record) -> list[str]:
        doubts = (
            virtual_time.doubts(entry["virtual"], entry["counts"], workload.ios, workload.bs)
            if entry.get("virtual")
            else []
        )
        if workload.kind == ORDINARY:
            return doubts + evidence.judge_ordinary(entry["evidence"], workload.ios * workload.bs)
        moved = (
            int(entry["metrics"]["bytes"])
            if entry["metrics"]
            else (workload.ios * workload.bs or workload.size)
        )
        return doubts + evidence.judge(
            workload.device or self._boot.provider, entry["evidence"], moved
        )

    def _count(self, machine: Machine, workload: Workload, entry: Record) -> None:
        assert self._counter
        ordinary = {"device": workload.device, "nvme_serial": machine.nvme_serial}
        order = {
            "name": workload.name,
            "rw": workload.rw,
            "bs": workload.bs,
            "ios": workload.ios,
            "iodepth": workload.iodepth,
            "seed": (self._seed & 0x7FFFFFFE) + 1,
            # What a disk with more than one queue has, whatever the number of CPUs.
            "scheduler": workload.scheduler or "none",
            "instrument": self._counter.instrument.order,
            "deadline_s": _COUNT_S,
        }
        order |= ordinary if workload.kind == ORDINARY else {}
        order |= self._unsampled()
        try:
            answer = machine.channel.order("count", order, 2 * _COUNT_S)
        except AgentError as error:
            self._counter.skip()
            if error.step != "instrument":
                raise
            # No counters in this machine: the I/O must still work, and its path be proved.
            answer = machine.channel.order("count", order | {"instrument": "none"}, 2 * _COUNT_S)
            answer["reason"] = f"expected {error.expected}, got {error.got}"
        entry["evidence"] = answer["evidence"]
        entry["counts"] = self._counter.counts(answer)
        if self._counter.instrument.icount:
            entry["virtual"] = virtual_time.figures(answer)

    def _pattern(self, machine: Machine, workload: Workload, entry: Record) -> None:
        answer = machine.channel.order(
            "pattern",
            {
                "bytes": workload.size,
                "block": workload.bs,
                "seed": self._seed & 0x7FFFFFFF,
                "direction": workload.rw,
            }
            | self._unsampled(),
            120,
        )
        entry["evidence"] = answer["evidence"]

    def _unsampled(self) -> dict[str, int]:
        """What tells the agent not to look at the pool: in virtual time it would never see it used.

        There an I/O is done before anybody else gets the CPU; nvmet's counters decide alone.
        """
        return {"sample": 0} if self._counter and self._counter.instrument.icount else {}

    def _fio(self, machine: Machine, workload: Workload, entry: Record) -> None:
        limit = workload.runtime_s + _FIO_GRACE_S
        started = time.monotonic()
        answer = machine.channel.order(
            "fio",
            {
                "name": workload.name,
                "job": fio.job_file(workload, self._seed & 0x7FFFFFFF),
                "deadline_s": limit,
            },
            limit + _FIO_GRACE_S,
        )
        took_s = time.monotonic() - started
        self._keep(workload, answer)
        entry["evidence"] = answer["evidence"]
        try:
            figures = fio.metrics(workload, answer)
            fio.check_clock(workload, figures["runtime_s"], took_s)
            fio.check_stall(workload, figures)
            entry["metrics"] = figures
        except fio.FioError as error:
            entry |= {
                "status": "failed",
                "error": {
                    "step": "fio",
                    "expected": "a run without errors and its figures in JSON",
                    "got": f"{error}; raw output in raw/{self._boot.boot}/{workload.name}.json",
                },
            }

    def _keep(self, workload: Workload, answer: Record) -> None:
        """Keep fio's raw output, whatever it is worth."""
        name = workload.name
        if workload.is_timed() and self._matrix.rounds > 1:
            name += f"-round{self._round}"
        self._write(f"{name}.json", str(answer.get("stdout", "")))
        if answer.get("stderr"):
            self._write(f"{name}.stderr", str(answer["stderr"]))

    def _write(self, name: str, text: str) -> None:
        directory = self._raw / self._boot.boot
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
