"""The page for people in a real browser: it is shown, and hostile annotations do nothing in it."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.registry_server import RunningRegistry, registry_server
from tests.unit.server.test_site import HOSTILE, put
from wasm2oci.operations.registry_site import make_site
from wasm2oci.server.memory import MemoryStorage

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def registry() -> Iterator[RunningRegistry]:
    storage = MemoryStorage()
    put(storage, "org/hello", "v1", annotations={text: text for text in HOSTILE})
    with registry_server(storage=storage, site=make_site(storage, None).answer) as running:
        yield running


def browse(chromium: str, folder: Path, url: str, *options: str) -> str:
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}"]
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"]
    # Containers have 64 MiB of shared memory, where a page ends as "aw, snap" when others take it.
    small = ["--disable-dev-shm-usage"]
    done = subprocess.run(
        [*command, *quiet, *small, *options, url], capture_output=True, text=True, timeout=300, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_hostile_annotations_are_text_in_the_browser(chromium: str, registry: RunningRegistry, tmp_path: Path) -> None:
    before = len(registry.seen)
    document = browse(chromium, tmp_path, f"{registry.url}/r/org/hello:v1", "--dump-dom", "--virtual-time-budget=2000")
    assert "<title>org/hello:v1 · wasm2oci</title>" in document
    assert "owned" in document
    for element in ("<script", "<img", 'onerror="', 'onmouseover="'):
        assert element not in document
    # Nothing else was loaded: not from here, not from elsewhere.
    assert set(registry.seen[before:]) == {"GET /r/org/hello:v1"}


def test_the_style_is_applied_under_the_policy(chromium: str, registry: RunningRegistry, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    size = "--window-size=1000,800"
    browse(chromium, tmp_path, f"{registry.url}/r/org/hello:v1", f"--screenshot={picture}", size)
    styled = picture.stat().st_size
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert styled > 20_000, "a page without its style is a much smaller picture"
