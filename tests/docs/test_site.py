"""The site of the documents: built strictly, open without a network, and no page wider than a phone."""

import re
import subprocess
import sys
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
