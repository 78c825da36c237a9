# SPDX-License-Identifier: GPL-2.0
"""Opening pages in a browser, and what it has to say about them."""

import base64
import json
from pathlib import Path
from typing import Any

from p2pbench.base.paths import BUILD

SCREENSHOTS = BUILD / "screenshots"
# Anything higher in one picture, chromium refuses.
HIGHEST = 12000


def shown(browser: Any, file: Path, width: int, scheme: str, medium: str = "") -> None:
    """Open a page from scratch."""
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": medium, "features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.get(file.as_uri())


def picture(browser: Any, width: int, name: str) -> None:
    """Keep pictures of the whole page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    height = browser.execute_script("return document.documentElement.scrollHeight")
    for number, top in enumerate(range(0, height, HIGHEST), 1):
        part = {"x": 0, "y": top, "width": width, "height": min(HIGHEST, height - top), "scale": 1}
        taken = browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": part}
        )
        (SCREENSHOTS / f"{name}-{number}.png").write_bytes(base64.b64decode(taken["data"]))


def requests(browser: Any) -> list[str]:
    """What the browser fetched since the page was opened."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
