# SPDX-License-Identifier: GPL-2.0
"""Cells that only look like P2P: real guests in which data takes another way are invalid."""

from typing import Any

import pytest

from p2pbench.measure import fio
from p2pbench.measure.boot import boot_cmdline
from p2pbench.plan.matrix import Workload
from p2pbench.records import evidence
from support import GuestMaker


def run(make_guest: GuestMaker, workload: Workload, **setup: Any) -> tuple[dict[str, Any], int]:
    with make_guest(boot_cmdline()) as guest:
        guest.channel.order("setup", guest.setup_args("bar") | setup, 120)
        answer = guest.channel.order(
            "fio", {"name": workload.name, "deadline_s": 60, "job": fio.job_file(workload, 1)}, 90
        )
        guest.channel.order("teardown", deadline_s=120)
    return answer["evidence"], int(fio.metrics(workload, answer)["bytes"])


def write_job(bs: int, iodepth: int) -> Workload:
    return Workload("write", "fio", "randwrite", bs, iodepth, 1, "", 32 << 20, 0.5, ("bar",))


def test_writes_that_travel_inline_never_use_peer_memory(make_guest: GuestMaker) -> None:
    found, moved = run(make_guest, write_job(4096, 1), inline_data_size=16384)
    assert found["p2p"]["requests"] == 0
    assert any(
        "fell back to host memory" in reason for reason in evidence.judge("bar", found, moved)
    )


def test_a_pool_that_runs_empty_falls_back_without_an_error(make_guest: GuestMaker) -> None:
    small = {"pci": "1af4:1110", "bar": 2, "offset": 0, "size": 2 << 20}
    found, moved = run(make_guest, write_job(512 << 10, 16), bar=small)
    assert found["p2p"]["fallbacks"] > 0
    assert found["p2p"]["requests"] > 0
    assert any(
        "fell back to host memory" in reason for reason in evidence.judge("bar", found, moved)
    )


@pytest.mark.parametrize("kind", ["missing device", "bad bar"])
def test_a_provider_that_cannot_be_set_up_says_which_step(
    make_guest: GuestMaker, kind: str
) -> None:
    from p2pbench.testbed.channel import AgentError

    bar = {
        "pci": "dead:beef" if kind == "missing device" else "1af4:1110",
        "bar": 5,
        "offset": 0,
        "size": 0,
    }
    with make_guest(boot_cmdline()) as guest:
        with pytest.raises(AgentError) as caught:
            guest.channel.order("setup", guest.setup_args("bar") | {"bar": bar}, 120)
        assert guest.channel.order("info")["cpus"] == 2
    assert caught.value.step and caught.value.expected and caught.value.got
