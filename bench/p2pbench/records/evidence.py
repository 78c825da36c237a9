# SPDX-License-Identifier: GPL-2.0
"""What proves which path the data took; a cell without proof is invalid, not a result."""

from typing import Any

from p2pbench.records.kinds import is_peer

# The pool is sampled every 10 ms, while fio starts and ends, too. With so many samples and
# requests they do not all miss the buffers: of 1,092 such workloads of two runs none did, but 9
# of 168 with 13 or 16 requests. With fewer, the counters alone decide.
_ENOUGH_SAMPLES = 50
_ENOUGH_REQUESTS = 100


def judge(provider: str, evidence: dict[str, Any] | None, moved: int) -> list[str]:
    """Return the reasons why a workload's evidence does not show the path its cell claims.

    provider is the cell's, evidence the agent's counters over the workload
    (requests, bytes), moved the bytes that the workload itself reports. An
    empty list means valid.
    """
    if not evidence:
        return ["no evidence was sampled"]
    device = evidence["device"]
    device_bytes = device["read_bytes"] + device["write_bytes"]
    reasons = []
    if device_bytes == 0:
        reasons.append("the fabric device moved no data")
    if device_bytes < moved:
        reasons.append(
            f"the fabric device moved {device_bytes} bytes of the {moved} that the "
            "workload reports"
        )
    if not is_peer(provider):
        return reasons + _host_reasons(evidence)
    return reasons + _peer_reasons(evidence, device["reads"] + device["writes"], device_bytes)


def judge_ordinary(evidence: dict[str, Any] | None, moved: int) -> list[str]:
    """Return the reasons why an ordinary disk did not do exactly what a workload asked for."""
    if not evidence:
        return ["no evidence was sampled"]
    device = evidence["device"]
    done = device["read_bytes"] + device["write_bytes"]
    if done != moved:
        return [f"the disk moved {done} bytes, the workload {moved}: others use it, too"]
    return []


def _host_reasons(evidence: dict[str, Any]) -> list[str]:
    """A host cell must not touch peer memory. A kernel without counters cannot: it has no P2P."""
    p2p = evidence["p2p"]
    if p2p and (p2p["requests"] or p2p["fallbacks"]):
        return [
            f"{p2p['requests']} requests used peer memory and {p2p['fallbacks']} tried to: "
            "this is no cell of host memory"
        ]
    return []


def _peer_reasons(evidence: dict[str, Any], requests: int, device_bytes: int) -> list[str]:
    """A peer cell's every request and byte must have gone through the pool, with no fallback."""
    p2p, pool = evidence["p2p"], evidence["pool"]
    if not p2p:
        return ["the kernel has no P2P counters (p2pmem_requests): the path is unknown"]
    reasons = []
    if p2p["fallbacks"]:
        reasons.append(f"{p2p['fallbacks']} requests fell back to host memory")
    if p2p["requests"] != requests:
        reasons.append(f"{p2p['requests']} P2P requests, but the fabric device did {requests}")
    if p2p["bytes"] != device_bytes:
        reasons.append(f"{p2p['bytes']} P2P bytes, but the fabric device moved {device_bytes}")
    if not pool:
        reasons.append("the provider has no pool")
    elif (
        pool["low"] >= pool["before"]
        and pool["samples"] >= _ENOUGH_SAMPLES
        and requests >= _ENOUGH_REQUESTS
    ):
        reasons.append(
            f"the pool's low-water mark did not move ({pool['low']} of {pool['before']} "
            f"bytes free in {pool['samples']} samples)"
        )
    return reasons
