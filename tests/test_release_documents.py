"""What CONTRIBUTING, SECURITY, the changelog, the citation and the forms say is so."""

import importlib
import inspect
import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
import yaml
from test_structure import MOST_LINES, MOST_PARAMETERS

import dfplan
from dfplan.cli.main import COMMANDS
from dfplan.realtime.policy_server import PolicyServer

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FORMS = sorted(path for path in ROOT.glob(".github/ISSUE_TEMPLATE/*.yml") if path.stem != "config")
DOCUMENTS = [ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
DOCUMENTS += [ROOT / ".github/pull_request_template.md", *FORMS]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
KINDS_OF_CHANGES = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Numbers changed"}
IN_BACKTICKS = re.compile(r"`([^`\n]+)`")
of_each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@of_each_document
def test_targets_commands_and_extras_that_are_named_exist(path):
    text = path.read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^)make ([a-z0-9-]+)", text, re.MULTILINE):
        assert f"\n{target}:" in makefile, target
    assert set(re.findall(r"`dfplan ([a-z]+)", text)) <= set(COMMANDS)
    assert set(re.findall(r"dfplan\[(\w+)\]", text)) <= set(PROJECT["optional-dependencies"])


@of_each_document
def test_files_that_are_pointed_to_exist(path):
    text = path.read_text()
    links = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    quoted = [each for each in IN_BACKTICKS.findall(text) if re.fullmatch(r"(?:tests|docs|dfplan|\.ci)/[\w./]+", each)]
    assert [target for target in links + quoted if not (ROOT / target).exists()] == []


@of_each_document
def test_python_names_that_are_given_are_found(path):
    for name in IN_BACKTICKS.findall(path.read_text()):
        if not re.fullmatch(r"dfplan(?:\.\w+)+", name):
            continue
        owner, _, last = name.rpartition(".")
        module = importlib.import_module(owner)
        assert hasattr(module, last) or importlib.util.find_spec(name), name


def test_contributing_gives_the_bounds_that_are_tested():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert f"at most {MOST_LINES} lines" in text
    assert f"more than {MOST_PARAMETERS} parameters" in text


def test_the_policy_server_listens_on_this_machine_alone_as_the_security_page_promises():
    assert inspect.signature(PolicyServer).parameters["host"].default == "127.0.0.1"
    assert "no password" in (ROOT / "SECURITY.md").read_text()


def test_the_changelog_keeps_its_form():
    versions = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", each) for each in versions[1:]]
    assert all(released), versions
    numbers = [tuple(map(int, each[1].split("."))) for each in released if each]
    dates = [date.fromisoformat(each[2]) for each in released if each]
    assert numbers == sorted(set(numbers), reverse=True)
    assert dates == sorted(dates, reverse=True)
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= KINDS_OF_CHANGES


def test_one_version_is_said_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.findall(r"^## \[(\d[\d.]+)\] - (.+)$", CHANGELOG, re.MULTILINE)[0]
    assert PROJECT["version"] == dfplan.__version__ == citation["version"] == newest[0]
    assert citation["date-released"].isoformat() == newest[1]


def test_the_citation_is_of_the_citation_file_format():
    """The required keys of its schema 1.2.0, and the kinds of what stands under the keys that we use."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["license"] == PROJECT["license"]
    assert set(citation) <= {
        *("cff-version", "message", "type", "title", "abstract", "authors", "version", "date-released", "license"),
        *("keywords", "references"),
    }
    assert all(isinstance(citation[key], str) and citation[key] for key in ("message", "title", "abstract"))
    assert len(set(citation["keywords"])) == len(citation["keywords"])
    for work in (citation, *citation["references"]):
        assert work["title"]
        assert work["type"]
        assert work["authors"]
        assert all(set(each) in ({"name"}, {"family-names", "given-names"}) for each in work["authors"])
    for work in citation["references"]:
        assert isinstance(work["year"], int)
        assert all(re.fullmatch(r"arXiv:\d{4}\.\d{5}", each["value"]) for each in work["identifiers"])


def test_who_is_built_on_is_cited():
    citation = (ROOT / "CITATION.cff").read_text()
    for paper in set(re.findall(r"arXiv (\d{4}\.\d{5})", (ROOT / "README.md").read_text().partition("## Cite")[2])):
        assert paper in citation


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_is_one_that_is_shown(path):
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= set(form) <= {"name", "description", "title", "labels", "body"}
    for part in form["body"]:
        assert part["type"] in ("markdown", "textarea")
        assert part["attributes"]["value" if part["type"] == "markdown" else "label"]
        assert set(part) <= {"type", "id", "attributes", "validations"}
    names = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert len(set(names)) == len(names) > 0
    assert any(part.get("validations", {}).get("required") for part in form["body"])


@pytest.mark.parametrize("name", ["bug", "result"])
def test_what_is_reported_comes_with_what_info_prints(name):
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text())
    asked = next(part for part in form["body"] if part.get("id") == "info")
    assert "dfplan info" in asked["attributes"]["label"]
    assert asked["validations"]["required"]
