# SPDX-License-Identifier: GPL-2.0
"""A machine made of files: sysfs, procfs, configfs and /dev for the agent, and fake tools."""

import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

NQN = "nqn.2026-01.org.p2pbench:target"
BACKING_NQN = "nqn.2019-08.org.qemu:p2pbench"
NVME_PCI, NIC_PCI, BAR_PCI = "0000:03:00.0", "0000:04:00.0", "0000:05:00.0"
GID = "0000:0000:0000:0000:0000:ffff:c0a8:4d01"
POOL = 64 << 20
# What every setup order has to name; the harness's testbed does it for a guest.
SETUP: dict[str, Any] = {"provider": "host", "netdev": "eth0"}

ZONEINFO = """\
Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 15455
  pages free     1000
        spanned  4095
        present  3998
        managed  3840
Node 0, zone   Device
  pages free     0
        spanned  65536
        present  11
        managed  7
Node 1, zone   Normal
  pages free     20000
        spanned  262144
        present  262144
        managed  250000
"""

# The tools note what they are called with, and do to the fake tree what the
# real ones make the kernel do. FAIL_<TOOL> in the environment makes one fail.
TOOL = """\
#!/bin/sh
echo "$(basename "$0") $*" >> "$FAKE_LOG"
{body}
"""
BODIES = {
    "ip": """
case "$*" in
"-o addr show dev eth0") echo "2: eth0 inet $FAKE_ADDR scope global eth0" ;;
"link set dev eth0 mtu 4200 up") echo 1 > "$SYSFS/class/net/eth0/carrier" ;;
esac
""",
    "rdma": """
test -z "$FAIL_RDMA" || { echo "error: $FAIL_RDMA" >&2; exit 3; }
rxe="$SYSFS/class/infiniband/$3"
case "$*" in
"link add $3 type rxe netdev eth0")
	mkdir -p "$rxe/ports/1/gids"
	echo "4: ACTIVE" > "$rxe/ports/1/state"; echo "$FAKE_GID" > "$rxe/ports/1/gids/1" ;;
"link delete $3") rm -r "$rxe" ;;
esac
""",
    "nvme": """
case "$1" in
connect)
	test -z "$FAIL_NVME" || { echo "Failed to write to /dev/nvme-fabrics" >&2; exit 1; }
	for d in "$SYSFS/class/nvme/nvme1" "$SYSFS/class/block/nvme1n1/device" \
		"$SYSFS/class/block/nvme1c1n1/device"; do
		mkdir -p "$d"; echo "$FAKE_NQN" > "$d/subsysnqn"
	done
	echo rdma > "$SYSFS/class/nvme/nvme1/transport"
	for d in nvme1n1 nvme1c1n1; do
		echo 2048 > "$SYSFS/class/block/$d/size"
		echo "0 0 0 0 0 0 0 0 0 0 0" > "$SYSFS/class/block/$d/stat"
	done
	ln -s "${FABRIC_IS:-nvme0n1}" "$DEVFS/nvme1n1" ;;
disconnect)
	rm -r "$SYSFS/class/nvme/nvme1" "$SYSFS/class/block/nvme1n1" \
		"$SYSFS/class/block/nvme1c1n1" "$DEVFS/nvme1n1"
	test -z "$FAKE_LEAK" ||
		echo "$FAKE_LEAK" > "$SYSFS/bus/pci/devices/0000:03:00.0/p2pmem/available" ;;
esac
""",
    "fio": """
for arg; do case "$arg" in --output=*) output="${arg#--output=}" ;; *) job="$arg" ;; esac; done
echo "DEV=$DEV" >> "$FAKE_LOG"
echo "3 0 24 0 5 0 80 0 0 0 0" > "$SYSFS/class/block/nvme1c1n1/stat"
cp "$job" "$output"
echo "a warning" >&2
. "$job"
""",
}


def write(path: Path, text: str) -> None:
    """Write a file, making the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class FakeMachine:
    """The tree of a machine with an NVMe controller, a NIC and a BAR device."""

    def __init__(self, root: Path, shim: Path) -> None:
        self.sysfs, self.procfs = root / "sys", root / "proc"
        self.configfs, self.devfs = root / "config", root / "dev"
        self.log, self._tools = root / "log", root / "tools"
        self.env = {
            "PATH": f"{self._tools}:{os.environ['PATH']}",
            "LD_PRELOAD": str(shim),
            "FAKE_CONFIGFS": str(self.configfs),
            "FAKE_LOG": str(self.log),
            "SYSFS": str(self.sysfs),
            "DEVFS": str(self.devfs),
            "FAKE_GID": GID,
            "FAKE_NQN": NQN,
        }
        root.mkdir()
        self.log.touch()
        for name, body in BODIES.items():
            write(self._tools / name, TOOL.format(body=body))
            (self._tools / name).chmod(0o755)
        for directory in ("subsystems", "ports"):
            (self.configfs / "nvmet" / directory).mkdir(parents=True)
        write(self.procfs / "zoneinfo", ZONEINFO)
        write(self.procfs / "meminfo", "MemTotal:  1000 kB\nMemAvailable:    700 kB\n")
        write(self.procfs / "cmdline", "console=ttyS0 quiet\n")
        write(self.procfs / "uptime", "12.50 20.00\n")
        write(self.devfs / "kmsg", "6,1,1500000,-;hello\n")
        self._pci(NVME_PCI, "0x1b36", "0x0010")
        self._pci(NIC_PCI, "0x8086", "0x10d3")
        self._pci(BAR_PCI, "0x1af4", "0x1110")
        self._nvme()
        self._nic()

    def pool(self, available: int = POOL, published: int = 1) -> None:
        """Give the NVMe controller a pool of peer memory, as a CMB does."""
        for name, value in (("size", POOL), ("available", available), ("published", published)):
            write(self._device(NVME_PCI) / "p2pmem" / name, f"{value}\n")

    def p2p_counters(self, requests: int, size: int, fallbacks: int) -> None:
        """Let the namespace count, as a kernel with the baseline patches does."""
        namespace = self.configfs / "nvmet/subsystems" / NQN / "namespaces/1"
        for name, value in (("requests", requests), ("bytes", size), ("fallbacks", fallbacks)):
            write(namespace / f"p2pmem_{name}", f"{value}\n")

    def null_blk(self) -> None:
        """Give the machine an ordinary disk, of the size that a count needs."""
        write(self.sysfs / "class/block/nullb0/stat", "0 0 0 0 0 0 0 0 0 0 0\n")
        write(self.devfs / "nullb0", "")
        os.truncate(self.devfs / "nullb0", 64 << 20)

    def rdma_device(self, name: str, state: str = "4: ACTIVE", gid: str = GID) -> None:
        """Give the machine an RDMA device that was there before the agent."""
        port = self.sysfs / "class/infiniband" / name / "ports/1"
        write(port / "state", state + "\n")
        write(port / "gids/3", gid + "\n")

    def noted(self) -> list[str]:
        """Return what tools and configfs were asked for, in order."""
        return self.log.read_text().splitlines()

    def made(self) -> list[str]:
        """Return what stands in configfs and sysfs that a setup makes."""
        return sorted(
            str(path)
            for pattern in ("config/nvmet/*/*", "sys/class/infiniband/*", "sys/class/nvme/nvme1")
            for path in self.sysfs.parent.glob(pattern)
        )

    def _device(self, address: str) -> Path:
        return self.sysfs / "bus/pci/devices" / address

    def _pci(self, address: str, vendor: str, device: str) -> None:
        write(self._device(address) / "vendor", vendor + "\n")
        write(self._device(address) / "device", device + "\n")

    def _nvme(self) -> None:
        controller = self.sysfs / "class/nvme/nvme0"
        for name, value in (
            ("serial", "p2pbench            "),
            ("transport", "pcie"),
            ("address", NVME_PCI),
            ("subsysnqn", BACKING_NQN),
        ):
            write(controller / name, value + "\n")
        disk = self.sysfs / "class/block/nvme0n1"
        write(disk / "size", "2048\n")
        (disk / "device").symlink_to(controller)
        (self.devfs / "nvme0n1").write_bytes(bytes(1 << 20))
        (self.devfs / "other").write_bytes(bytes(1 << 20))

    def _nic(self) -> None:
        (self.sysfs / "bus/pci/drivers").mkdir()
        (self._device(NIC_PCI) / "subsystem").symlink_to(self.sysfs / "bus/pci")
        for name, kind in (("eth0", "1"), ("lo", "772"), ("dummy0", "1")):
            net = self.sysfs / "class/net" / name
            for file, value in (
                ("type", kind),
                ("mtu", "1500"),
                ("flags", "0x1002"),
                ("carrier", "0"),
            ):
                write(net / file, value + "\n")
        (self.sysfs / "class/net/eth0/device").symlink_to(self._device(NIC_PCI))


class Agent:
    """p2pagent on stdin and stdout; a context manager that ends it."""

    def __init__(self, program: Path, machine: FakeMachine, **env: str) -> None:
        command = [
            str(program),
            "--sysfs",
            str(machine.sysfs),
            "--procfs",
            str(machine.procfs),
            "--configfs",
            str(machine.configfs),
            "--devfs",
            str(machine.devfs),
        ]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **machine.env, **env},
        )
        self.progress: list[str] = []
        self._id = 0
        self.ready = self._receive(10)

    def __enter__(self) -> "Agent":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()

    def send(self, line: str) -> None:
        """Send one line as it is."""
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, deadline_s: float = 20) -> dict[str, Any]:
        """Return the next reply; the progress events before it are kept."""
        while "ok" not in (message := self._receive(deadline_s)):
            assert message["event"] == "progress" and message["id"] == self._id
            self.progress.append(message["step"])
        return message

    def order(self, name: str, /, scale: float = 1.0, **args: Any) -> dict[str, Any]:
        """Give an order and return the reply."""
        self._id += 1
        self.send(json.dumps({"id": self._id, "order": name, "scale": scale, "args": args}))
        reply = self.answer()
        assert reply["id"] == self._id
        return reply

    def result(self, name: str, /, scale: float = 1.0, **args: Any) -> dict[str, Any]:
        """Give an order that has to succeed and return its result."""
        reply = self.order(name, scale, **args)
        assert reply["ok"], reply["error"]
        return dict(reply["result"])

    def setup(self, **args: Any) -> dict[str, Any]:
        """Set the machine up, with rxe on its card and host memory unless args say otherwise."""
        return self.result("setup", **(SETUP | args))

    def setup_error(self, **args: Any) -> dict[str, str]:
        """Give a setup order that has to fail and return its error."""
        return self.error("setup", **(SETUP | args))

    def error(self, name: str, /, scale: float = 1.0, **args: Any) -> dict[str, str]:
        """Give an order that has to fail and return its error."""
        reply = self.order(name, scale, **args)
        assert not reply["ok"], reply
        assert set(reply["error"]) == {"step", "expected", "got"}
        return dict(reply["error"])

    def end(self, how: int | None = None) -> int:
        """End the agent by EOF, or by a signal; return its exit status."""
        assert self.process.stdin
        if how is None:
            self.process.stdin.close()
        else:
            self.process.send_signal(signal.Signals(how))
        return self.process.wait(timeout=20)

    def _receive(self, deadline_s: float) -> dict[str, Any]:
        assert self.process.stdout
        end = time.monotonic() + deadline_s
        line = b""
        while not line.endswith(b"\n"):
            left = max(0.0, end - time.monotonic())
            assert select.select([self.process.stdout], [], [], left)[0], "the agent says nothing"
            byte = os.read(self.process.stdout.fileno(), 1)
            assert byte, "the agent ended"
            line += byte
        return dict(json.loads(line))
