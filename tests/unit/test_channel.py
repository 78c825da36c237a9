# SPDX-License-Identifier: GPL-2.0
"""The JSON-lines channel: answers, errors, and every way in which a machine can go away."""

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from p2pbench.testbed.channel import AgentError, Channel, ChannelLost
from p2pbench.testbed.qemu import waited_for_cpu_s
from support import eventually

Peer = Callable[[Callable[[socket.socket], None]], None]


@pytest.fixture
def pair() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    yield channel, theirs
    channel.close()
    theirs.close()


def say(peer: socket.socket, *messages: dict[str, object]) -> None:
    peer.sendall(b"".join(json.dumps(message).encode() + b"\n" for message in messages))


def test_an_order_returns_the_result_of_its_own_answer(pair: tuple[Channel, socket.socket]) -> None:
    channel, peer = pair
    say(peer, {"event": "ready", "protocol": 1})
    assert channel.wait_ready(1)["protocol"] == 1
    say(
        peer,
        {"event": "progress", "id": 1, "step": "connect"},
        {"id": 99, "ok": True, "result": {"old": 1}},
        {"id": 1, "ok": True, "result": {"a": 2}},
    )
    assert channel.order("setup", {"provider": "bar"}) == {"a": 2}
    order = json.loads(peer.recv(4096))
    assert order == {"id": 1, "order": "setup", "scale": 1.0, "args": {"provider": "bar"}}


def test_an_answer_in_pieces_is_one_answer(pair: tuple[Channel, socket.socket]) -> None:
    channel, peer = pair
    text = json.dumps({"id": 1, "ok": True, "result": {"big": "x" * 300_000}}).encode() + b"\n"

    def send() -> None:
        for start in range(0, len(text), 10_000):
            peer.sendall(text[start : start + 10_000])

    thread = threading.Thread(target=send)
    thread.start()
    assert len(channel.order("fio")["big"]) == 300_000
    thread.join()


def test_no_deadline_counts_what_the_machine_was_held_up(
    pair: tuple[Channel, socket.socket]
) -> None:
    channel, peer = pair
    begun = time.monotonic()
    # For its first half second it had no CPU.
    channel.held_up_s = lambda: min(time.monotonic() - begun, 0.5)
    with pytest.raises(ChannelLost):
        channel.wait_ready(0.1)
    assert time.monotonic() - begun >= 0.6


def test_what_a_process_waited_for_a_cpu_is_seen() -> None:
    cpu = min(os.sched_getaffinity(0))
    loops = [
        subprocess.Popen(["taskset", "-c", str(cpu), "sh", "-c", "while :; do :; done"])
        for _ in range(2)
    ]
    try:
        eventually(lambda: waited_for_cpu_s(loops[0].pid) > 0.1)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    assert waited_for_cpu_s(loops[0].pid) == 0


def test_a_failed_order_carries_step_expected_and_got(pair: tuple[Channel, socket.socket]) -> None:
    channel, peer = pair
    say(
        peer,
        {
            "id": 1,
            "ok": False,
            "result": {"raw": "x"},
            "error": {"step": "connect", "expected": "a device", "got": "none"},
        },
    )
    with pytest.raises(AgentError) as caught:
        channel.order("setup")
    assert caught.value.as_json() == {"step": "connect", "expected": "a device", "got": "none"}
    assert caught.value.result == {"raw": "x"}


def test_a_closed_channel_is_a_lost_machine_in_the_last_known_stage(
    pair: tuple[Channel, socket.socket]
) -> None:
    channel, peer = pair
    say(peer, {"event": "progress", "id": 1, "step": "rdma link add"})
    peer.shutdown(socket.SHUT_WR)
    with pytest.raises(ChannelLost) as caught:
        channel.order("setup")
    assert caught.value.stage == "setup: rdma link add"
    assert "closed the channel" in caught.value.reason


def test_silence_is_a_lost_machine_after_the_deadline(pair: tuple[Channel, socket.socket]) -> None:
    channel, _peer = pair
    with pytest.raises(ChannelLost, match="boot: the agent was not ready"):
        channel.wait_ready(0.05)


def test_what_is_no_json_is_a_lost_machine_that_shows_the_line(
    pair: tuple[Channel, socket.socket]
) -> None:
    channel, peer = pair
    peer.sendall(b"login:\n")
    with pytest.raises(ChannelLost, match="login:"):
        channel.order("info")
