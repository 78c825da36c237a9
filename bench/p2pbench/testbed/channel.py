# SPDX-License-Identifier: GPL-2.0
"""The JSON-lines channel to the agent: orders out, answers in, each with a deadline."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any

# What the agent's own deadlines need beyond the harness's patience with it.
_GRACE_S = 10.0


class AgentError(Exception):
    """The agent is alive and could not do an order: which step, what was expected, what came."""

    def __init__(self, order: str, error: dict[str, str], result: dict[str, Any]) -> None:
        self.order = order
        self.step = str(error.get("step", order))
        self.expected = str(error.get("expected", ""))
        self.got = str(error.get("got", ""))
        self.result = result
        super().__init__(f"{order}: {self.step}: expected {self.expected}, got {self.got}")

    def as_json(self) -> dict[str, str]:
        """Return the error as the journal keeps it."""
        return {"step": self.step, "expected": self.expected, "got": self.got}


class ChannelLost(Exception):
    """The machine does not answer any more: in which stage, and what was seen of it."""

    def __init__(self, stage: str, reason: str) -> None:
        self.stage = stage
        self.reason = reason
        super().__init__(f"{stage}: {reason}")


class Channel:
    """Orders to one agent over a stream socket. Not for use by several threads."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._buffer = b""
        self._last_id = 0
        self.scale = 1.0
        # Seconds in which this host kept the machine from going on: no deadline counts them.
        self.held_up_s: Callable[[], float] = lambda: 0.0
        self.stage = "boot"

    def close(self) -> None:
        """Close the channel; the agent tears down and ends."""
        self._stream.close()

    def wait_ready(self, deadline_s: float) -> dict[str, Any]:
        """Wait for the agent's first event and return it."""
        end = self._now() + deadline_s
        while True:
            message = self._receive(end, f"the agent was not ready after {deadline_s:.0f} s")
            if message.get("event") == "ready":
                self.stage = "ready"
                return message

    def order(
        self, name: str, args: dict[str, Any] | None = None, deadline_s: float = 60.0
    ) -> dict[str, Any]:
        """Give one order and return its result.

        deadline_s is for a machine of scale 1. Raises AgentError when the agent
        answers that it failed, ChannelLost when it does not answer.
        """
        self._last_id += 1
        self.stage = name
        patience = deadline_s * self.scale + _GRACE_S
        line = json.dumps(
            {"id": self._last_id, "order": name, "scale": self.scale, "args": args or {}}
        )
        try:
            self._stream.settimeout(patience)
            self._stream.sendall(line.encode() + b"\n")
        except OSError as error:
            raise ChannelLost(self.stage, f"the channel broke: {error}") from None
        end = self._now() + patience
        while True:
            message = self._receive(end, f"no answer after {patience:.0f} s")
            if message.get("event") == "progress":
                self.stage = f"{name}: {message.get('step')}"
            if message.get("id") == self._last_id and "ok" in message:
                return self._answer(name, message)

    def _answer(self, name: str, message: dict[str, Any]) -> dict[str, Any]:
        result = message.get("result") or {}
        if not message["ok"]:
            raise AgentError(name, message.get("error") or {}, result)
        self.stage = f"after {name}"
        return dict(result)

    def _now(self) -> float:
        """Return the time that deadlines go by, in s."""
        return time.monotonic() - self.held_up_s()

    def _receive(self, end: float, late: str) -> dict[str, Any]:
        """Return the next JSON object; `late` says what it means when there is none in time."""
        while b"\n" not in self._buffer:
            remaining = end - self._now()
            if remaining <= 0:
                raise ChannelLost(self.stage, late)
            self._stream.settimeout(remaining)
            try:
                chunk = self._stream.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError as error:
                raise ChannelLost(self.stage, f"the channel broke: {error}") from None
            if not chunk:
                raise ChannelLost(self.stage, "the machine closed the channel")
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        try:
            message = json.loads(line)
        except ValueError:
            raise ChannelLost(
                self.stage, f"the agent sent what is no JSON: {line[:80]!r}"
            ) from None
        if not isinstance(message, dict):
            raise ChannelLost(self.stage, f"the agent sent what is no object: {line[:80]!r}")
        return message
