"""The site of the documents: built strictly, open without a network, and no page wider than a phone."""

import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("material", reason="the site needs MkDocs: pip install 'dfplan[docs]'")
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    return folder


def test_every_document_is_a_page(site):
    assert (site / "index.html").is_file()
    for page in ROOT.glob("docs/**/*.md"):
        assert (site / page.relative_to(ROOT / "docs").with_suffix(".html")).is_file()


def test_no_page_asks_the_network_for_anything(site):
    asked = re.compile(
        r"<(?:script|img|iframe)[^>]*\ssrc=\"?(?:https?:)?//[^\s\">]+|<link[^>]*rel=\"?(?:stylesheet|preload)[^>]*//[^>]+"
    )
    assert [(page.name, found[:2]) for page in site.rglob("*.html") if (found := asked.findall(page.read_text()))] == []


class Desk(http.server.SimpleHTTPRequestHandler):
    """Shows the site on loopback, and takes down what the browser has measured."""

    def do_POST(self):
        self.server.said = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.send_response(204)
        self.end_headers()
        self.server.done.set()

    def log_message(self, *_):
        pass


@pytest.fixture
def desk(site):
    shutil.copy(Path(__file__).with_name("widths.html"), site)
    pages = sorted(page.relative_to(site).as_posix() for page in site.rglob("*.html") if page.name != "widths.html")
    (site / "pages.json").write_text(json.dumps(pages))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Desk, directory=str(site))) as server:
        server.said, server.done = "", threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_no_page_is_wider_than_a_phone(desk, tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no browser: widths of pages are not measured; install chromium")
    page = f"http://127.0.0.1:{desk.server_port}/widths.html"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={tmp_path}"]
    running = subprocess.Popen(
        [browser, *options, "--remote-debugging-port=0", page], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert desk.done.wait(timeout=500), "the browser said nothing"
    finally:
        running.kill()
        running.wait()
    *lines, last = desk.said.splitlines()
    widths = {page: int(width) for page, width in map(str.split, lines)}
    assert last == "all"
    assert len(widths) > 50
    assert {page: width for page, width in widths.items() if width > 390} == {}
