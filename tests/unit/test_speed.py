"""A journal of 2,000 boots becomes a report in reasonable memory; the time is only printed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

MAKE = """
import resource, sys, time
from p2pbench import report
began = time.process_time()
made = report.write(sys.argv[1])
print(len(made["compares"][0]["cells"]), f"{time.process_time() - began:.1f}",
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_2000_boots_take_less_than_500_mib(synthetic: Any, tmp_path: Path) -> None:
    speed = {f"{variant}/{provider}": 1e8 for variant in ("page", "pageless")
             for provider in ("host", "cmb", "bar")}
    names = tuple(f"randread-{bs}k-qd{depth}" for bs in (4, 16, 64, 256) for depth in (1, 4, 16))
    run = synthetic(speed, blocks=334, noise=0.1, workloads=names)
    assert len(run.boots) > 2000
    with (tmp_path / "journal.jsonl").open("w") as journal:
        for record in [run.header, *run.boots]:
            journal.write(json.dumps(record) + "\n")
    done = subprocess.run([sys.executable, "-c", MAKE, tmp_path], text=True, capture_output=True,
                          check=True)
    cells, seconds, mib = done.stdout.split()
    print(f"{len(run.boots)} boots, {cells} cells compared: {seconds} s, {mib} MiB")
    assert cells == "12" and int(mib) < 500
