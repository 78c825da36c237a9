#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A machine of straw: called as QEMU, it speaks the agent's side of the channel.

All of the harness is real, and so is fio, which runs on a file; the guest is not. What goes wrong
in which boot stands in behaviour.json beside it: {"b1-page-bar": {"at": "fio", "do": "die"}}.
Every order that a guest gets is a line of the file "orders". Asked for anything but a guest with an
agent, it is the machine's own QEMU.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REAL = "/usr/bin/qemu-system-x86_64"
# As it was called: beside it is what it should do.
HERE = Path(sys.argv[0]).parent
POOL = 1 << 26
BLOCK = 4096
# Of an I/O that is counted, all of them in one function of straw.py's kernel.
INSTRUCTIONS = 1000
FUNCTION = "ffffffff81000000"
# Sparse, and larger than any job wants it: fio would make a file that is too small anew.
DISK = 1 << 30

Record = dict[str, Any]


class Failed(Exception):
    """An order that the agent answers with an error."""


def boot() -> str:
    """Return the boot's name: its console is this program's output."""
    return Path(os.readlink("/proc/self/fd/1")).stem


def answer(order: str, args: Record, behaviour: Record) -> Record:
    """Do an order as the agent would, or what was asked for in its place."""
    with (HERE / "orders").open("a") as orders:
        orders.write(f"{boot()} {order}\n")
    do = behaviour["do"] if behaviour.get("at") == order else ""
    if do == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "hang":
        signal.pause()
    if do == "fail":
        raise Failed("a planted fault\nof two lines")
    while do == "wait" and not (HERE / "go").exists():
        time.sleep(0.02)
    if order == "fio":
        return fio(str(args["job"]), 12 if do == "fall back" else 0)
    if order == "count":
        return count(int(args["ios"]), int(args["bs"]))
    if order == "command":
        return {"exit": int(do == "exit")}
    return ANSWERS.get(order, {})


def fio(job: str, fallbacks: int) -> Record:
    """Run a job on a file; the evidence is what a path through peer memory would have shown."""
    disk, script = HERE / f"disk-{os.getpid()}", HERE / f"job-{os.getpid()}"
    script.write_text(job)
    with disk.open("wb") as stream:
        stream.truncate(DISK)
    done = subprocess.run(
        ["fio", "--output-format=json", script],
        capture_output=True,
        text=True,
        env=os.environ | {"DEV": str(disk)},
    )
    disk.unlink()
    script.unlink()
    jobs = json.loads(done.stdout)["jobs"]
    ios = sum(job["mixed"]["total_ios"] for job in jobs)
    moved = sum(job["mixed"]["io_bytes"] for job in jobs)
    return {
        "exit": done.returncode,
        "signal": 0,
        "stdout": done.stdout,
        "stderr": done.stderr,
        "evidence": evidence(ios, moved, fallbacks),
    }


def count(ios: int, bs: int) -> Record:
    """Write the section that the plugin would have written."""
    (out,) = re.findall(r",out=([^,]+)", " ".join(sys.argv))
    with open(out, "a+") as stream:
        stream.seek(0)
        number = 1 + stream.read().count("section")
        stream.write(f"section {number}\n{FUNCTION} {ios * INSTRUCTIONS}\nend {number}\n")
    return {
        "ios": ios,
        "bytes": ios * bs,
        "duration_ns": ios * INSTRUCTIONS,
        "instructions": None,
        "latency_ns": dict.fromkeys(("p50", "p99", "p999", "max"), INSTRUCTIONS),
        "evidence": evidence(ios, ios * bs, 0),
    }


def evidence(ios: int, moved: int, fallbacks: int) -> Record:
    """Return the counters that go with so many reads."""
    return {
        "p2p": {"requests": ios, "bytes": moved, "fallbacks": fallbacks},
        "device": {"reads": ios, "read_bytes": moved, "writes": 0, "write_bytes": 0},
        "pool": {"size": POOL, "before": POOL, "low": POOL - BLOCK, "after": POOL, "samples": 60},
    }


ANSWERS: dict[str, Record] = {
    "setup": {
        "provider": "bar",
        "p2p_device": "0000:05:00.0",
        "pool": {"size": POOL, "available": POOL, "published": True},
        "register": {
            "ns": 3200000,
            "free_pages_before": 90000,
            "free_pages_after": 89744,
            "device_zone_pages": 16384,
        },
    },
    "memory": {"mem_available_kb": 900000},
    "teardown": {"pool": {"size": POOL, "available": POOL}, "remove_ns": 1500000},
    "kernel-log": {"lines": []},
}


def serve(channel: socket.socket, behaviour: Record) -> None:
    """Answer orders until the harness closes the channel."""
    lines = channel.makefile("rw")
    print(json.dumps({"event": "ready"}), file=lines, flush=True)
    for line in lines:
        order = json.loads(line)
        reply: Record = {"id": order["id"], "ok": True}
        try:
            reply["result"] = answer(order["order"], order["args"], behaviour)
        except Failed as error:
            reply |= {
                "ok": False,
                "error": {"step": order["order"], "expected": "an answer", "got": str(error)},
            }
        print(json.dumps(reply), file=lines, flush=True)


def main() -> None:
    found = re.search(r"socket,id=agent,fd=(\d+)", " ".join(sys.argv))
    if not found:
        os.execv(REAL, [REAL, *sys.argv[1:]])
    planned = json.loads((HERE / "behaviour.json").read_text())
    serve(socket.socket(fileno=int(found[1])), planned.get(boot(), {}))


if __name__ == "__main__":
    main()
