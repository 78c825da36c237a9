# SPDX-License-Identifier: GPL-2.0
"""A booted guest with everything set up, and a prompt on its console."""

import subprocess
import sys
import tempfile
from pathlib import Path

from p2pbench.base.errors import BenchError
from p2pbench.linux.kernel import build, expected
from p2pbench.linux.variants import Variant
from p2pbench.measure.boot import boot_cmdline
from p2pbench.plan.matrix import DEFAULT_TESTBED, Boot
from p2pbench.records.kinds import is_peer
from p2pbench.testbed.channel import AgentError, ChannelLost
from p2pbench.testbed.machine import LostMachine, Machine
from p2pbench.testbed.testbeds import open_testbed

# A person may stay as long as they like.
_DAYS_S = 7 * 24 * 3600.0


def _restore_terminal(state: str) -> None:
    subprocess.run(["stty", state], stdin=sys.stdin, check=False)


def run(variant: Variant, flavour: str, provider: str) -> None:
    """Boot, set the provider up, and hand the console to the user until the shell ends."""
    if is_peer(provider) and not variant.rxe_p2p:
        raise BenchError(
            f'variant "{variant.name}" cannot use provider "{provider}": its rxe is '
            "no P2P client (use PROVIDER=host)"
        )
    if not sys.stdin.isatty():
        raise BenchError("a shell needs a terminal on its standard input")
    testbed = open_testbed(DEFAULT_TESTBED)
    boot = Boot(f"shell-{variant.name}", 0, 0, variant.name, provider)
    testbed.check([boot], [expected(variant, flavour)])
    kernel = build(variant, flavour)
    testbed.choose(kernel, counted=False)
    state = subprocess.run(
        ["stty", "-g"], stdin=sys.stdin, capture_output=True, text=True
    ).stdout.strip()
    try:
        with tempfile.TemporaryDirectory() as directory:
            with testbed.terminal(
                kernel, boot_cmdline(provider), Path(directory) / "console"
            ) as machine:
                _prompt(machine, provider)
    except (LostMachine, AgentError) as error:
        raise BenchError(str(error)) from None
    finally:
        _restore_terminal(state)


def _prompt(machine: Machine, provider: str) -> None:
    try:
        made = machine.channel.order("setup", machine.setup_args(provider), 120)
        print(
            f"provider {provider}: the target's disk is {made['backing_dev']}, the fabric's "
            f"{made['fabric_dev']}, over {made['rdma_dev']} on {made['netdev']}; `exit` or "
            "Ctrl-A X ends the guest",
            flush=True,
        )
        machine.channel.order("shell", deadline_s=_DAYS_S)
    except ChannelLost as error:
        lost = machine.lost(error)
        if (
            "exit status" in lost.lost.reason
            or "killed" in lost.lost.reason
            or "panicked" in lost.lost.reason
        ):
            raise lost from None
