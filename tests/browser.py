"""Pages in headless Chromium: their text after scripts ran, what the console says, a screenshot."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason=f"no browser: none of {', '.join(NAMES)} is installed"
)


class Opened(NamedTuple):
    """A page as the browser has it: its elements as HTML, and the lines on its console."""

    dom: str
    console: list[str]


def run_chromium(url: str, *flags: str) -> subprocess.CompletedProcess:
    """Run headless Chromium on a page, with a profile of its own and no network."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--enable-logging=stderr", "--log-level=0", f"--user-data-dir={profile}"]
        command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000"]
        return subprocess.run(
            [*command, *flags, url], capture_output=True, text=True, timeout=300, check=True
        )


def open_page(file: Path, fragment: str = "") -> Opened:
    """Open a page, with the part of its address after `#`."""
    done = run_chromium(f"{file.absolute().as_uri()}#{fragment}", "--dump-dom")
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Opened(done.stdout, console)


def find_broken_images(file: Path) -> list[str]:
    """The addresses of pictures of a page that the browser cannot show."""
    probe = file.with_name(f"probe-{file.name}")
    script = (
        "<script>addEventListener('load', () => {"
        "const broken = [...document.images].filter((each) => !each.naturalWidth);"
        "document.title = 'BROKEN' + JSON.stringify(broken.map((each) => each.src)) + 'END';"
        "});</script>"
    )
    text = file.read_text(encoding="utf-8").replace('loading="lazy"', "")
    probe.write_text(text.replace("</body>", f"{script}</body>"), encoding="utf-8")
    try:
        found = re.search(r"BROKEN\[(.*?)\]END", open_page(probe).dom)
    finally:
        probe.unlink()
    assert found, "the page did not load"
    return re.findall(r'"(.*?)"', found[1])


def shoot(file: Path, picture: Path, *, width: int = 1100, height: int = 1600) -> None:
    """Write a screenshot of the top of a page."""
    size = f"--window-size={width},{height}"
    run_chromium(file.absolute().as_uri(), size, f"--screenshot={picture}")
