# SPDX-License-Identifier: GPL-2.0
"""A real browser for the tests of pages: Debian's chromium, without a window."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

import samples
from p2pbench.base.paths import ROOT
from p2pbench.report import render, report_file, summary


@pytest.fixture(scope="session")
def pages_made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of throughput alone, one with every section, and the one that is published.

    The last two with the verdict as it would be said today.
    """
    directory = tmp_path_factory.mktemp("pages")
    quick = samples.quick()
    whole = samples.whole(quick)
    published = report_file.read(ROOT / "results" / "reference" / "6.1")
    for report in (whole, published):
        report["verdict"] = summary.sentences(report)
    made = {}
    for name, report in (("quick", quick), ("whole", whole), ("published", published)):
        made[name] = directory / f"{name}.html"
        made[name].write_text(render.html(report), encoding="utf-8")
    return made


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    options.add_argument("--headless=new")
    options.add_argument("--hide-scrollbars")
    if os.geteuid() == 0:  # its sandbox refuses root
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    yield driver
    driver.quit()
