# SPDX-License-Identifier: GPL-2.0
"""The smoke matrix as a user runs it: real kernel, real fio, data through peer memory, a report."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from p2pbench.linux.kernel import Kernel
from support import start_bench


class Smoke(NamedTuple):
    """What one run of the smoke matrix left behind."""

    status: int
    text: str
    directory: Path
    boots: dict[str, Any]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory, page_kernel: Kernel) -> Smoke:
    results = tmp_path_factory.mktemp("results")
    process = start_bench(
        results, "--matrix=smoke", "--seed=1", f"--junitxml={results / 'junit.xml'}"
    )
    text, _ = process.communicate()
    (directory,) = (path for path in results.iterdir() if path.is_dir())
    lines = (directory / "journal.jsonl").read_text().splitlines()[1:]
    return Smoke(
        process.returncode,
        text,
        directory,
        {boot["provider"]: boot for boot in map(json.loads, lines)},
    )


def test_the_run_succeeds_and_leaves_every_file(smoke: Smoke) -> None:
    assert smoke.status == 0, smoke.text
    for name in ("journal.jsonl", "report.json", "report.md", "report.html", "junit.xml"):
        assert (smoke.directory / name).stat().st_size > 0


@pytest.mark.parametrize("provider", ["cmb", "bar"])
def test_all_data_of_a_peer_provider_went_through_peer_memory(smoke: Smoke, provider: str) -> None:
    boot = smoke.boots[provider]
    assert boot["setup"]["pool"]["published"] is True
    for entry in boot["workloads"]:
        p2p, device = entry["evidence"]["p2p"], entry["evidence"]["device"]
        assert p2p["fallbacks"] == 0
        assert p2p["requests"] == device["reads"] + device["writes"] > 0
        assert p2p["bytes"] == device["read_bytes"] + device["write_bytes"]
    assert boot["teardown"]["pool"]["available"] == boot["teardown"]["pool"]["size"]


def test_no_data_of_host_memory_went_through_peer_memory(smoke: Smoke) -> None:
    for entry in smoke.boots["host"]["workloads"]:
        assert entry["evidence"]["p2p"] == {"requests": 0, "bytes": 0, "fallbacks": 0}


@pytest.mark.parametrize("provider", ["host", "cmb", "bar"])
def test_data_was_verified_on_every_provider(smoke: Smoke, provider: str) -> None:
    names = {entry["name"]: entry["status"] for entry in smoke.boots[provider]["workloads"]}
    assert names["randwrite-32k-qd4-verify"] == "ok"
    assert names["pattern-target-to-fabric-64k"] == "ok"
    assert names["pattern-fabric-to-target-64k"] == "ok"


def test_registering_the_bar_is_measured(smoke: Smoke) -> None:
    register = smoke.boots["bar"]["setup"]["register"]
    assert register["ns"] > 0
    assert register["device_zone_pages"] == 256 << 20 >> 12


def test_without_a_terminal_progress_is_plain_lines(smoke: Smoke) -> None:
    assert "[1/3] b0-page-" in smoke.text and "[3/3] b0-page-" in smoke.text
    assert "\x1b" not in smoke.text


def test_junit_holds_every_boot(smoke: Smoke) -> None:
    names = [
        case.attrib["name"]
        for case in ElementTree.parse(smoke.directory.parent / "junit.xml")
        .getroot()
        .iter("testcase")
    ]
    for provider in ("host", "cmb", "bar"):
        assert f"test_boot[b0-page-{provider}]" in names


def test_the_provenance_is_complete(smoke: Smoke) -> None:
    header = json.loads((smoke.directory / "journal.jsonl").read_text().splitlines()[0])
    provenance = header["provenance"]
    assert header["seed"] == 1
    assert provenance["variants"]["page"]["patches"]
    for key in ("config_sha256", "bzimage_sha256", "compiler"):
        assert provenance["variants"]["page"][key]
    assert set(provenance["tools"]) >= {"qemu", "fio", "nvme", "rdma"}
    for boot in smoke.boots.values():
        assert boot["qemu_command"][0].endswith("qemu-system-x86_64")
    versions = [
        boot["machine"]["tools"] for boot in smoke.boots.values() if "tools" in boot["machine"]
    ]
    assert len(versions) == 1 and versions[0]["fio"] in provenance["tools"]["fio"]
