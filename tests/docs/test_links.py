"""No link of a document leads nowhere: files and folders of the repository, and headings in them."""

import subprocess
import sys
from pathlib import Path

import pytest

import dfplan

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))
from links import headings, resolved, targets, with_links  # noqa: E402  # the links as the site reads them


def documents() -> list[Path]:
    """Every file of Markdown that is not ignored, as of the root."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    except subprocess.CalledProcessError:  # a copy without its history
        return [path.relative_to(ROOT) for name in ("docs", "benchmarks") for path in (ROOT / name).rglob("*.md")]
    return [Path(name) for name in answer.splitlines() if (ROOT / name).is_file()]


PAGES = documents()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_link_is_dead(page):
    dead = []
    for target in targets((ROOT / page).read_text()):
        path, heading = resolved(page, target)
        there = ROOT / path
        if not there.exists() or (heading and there.suffix == ".md" and heading not in headings(there.read_text())):
            dead.append(target)
    assert dead == []


def test_links_are_found_with_their_headings_and_not_in_code():
    text = (
        '[a](x.md) and [`b`](y.py#L3)\n[over\nlines](z.md#here) `[c](no.md)`\n```\n[d](no.md)\n```\n<img src="p.png">'
    )
    assert targets(text) == ["x.md", "y.py#L3", "z.md#here", "p.png"]
    assert with_links("[a](x.md) [b](https://x.y)", str.upper) == "[a](X.MD) [b](https://x.y)"
    assert resolved(Path("docs/log/index.md"), "../../README.md#the-idea") == (Path("README.md"), "the-idea")
    assert resolved(Path("README.md"), "#cite") == (Path("README.md"), "cite")


def test_headings_are_named_as_they_are_linked_to():
    text = "# What does `x` cost, in ms?\n```\n# no heading\n```\n## Twice\n## Twice\n"
    assert list(headings(text)) == ["what-does-x-cost-in-ms", "twice", "twice_1"]


def test_every_public_name_has_its_page():
    page = (ROOT / "docs" / "reference" / "api.md").read_text()
    assert [name for name in dfplan.__all__ if f"::: dfplan.{name}\n" not in page] == []


def test_every_document_is_found_from_every_page():
    named = (ROOT / "mkdocs.yml").read_text()
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")]
    assert [page for page in pages if page not in named] == [], "name it under nav in mkdocs.yml"
