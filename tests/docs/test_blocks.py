"""Every block of the README and of docs/ runs: page by page, from top to bottom, in a folder, at a size of seconds.

How a page is written so that this holds stands in docs/reference/pages.md; what makes a block quick in ``sizes.py``.
"""

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest
import yaml
from given import lay_out
from printed import COMMANDS, FILES, OUTPUT, PAGES, ROOT, STEPS, Step, blocks, lines, spans
from sizes import ELSEWHERE, NAMED, NEEDS, SIZES, SMALLER, USUAL

from dfplan.cli.main import main

QUICK = ("make ", "pip ", ".venv/bin/pip ")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_every_block_is_of_a_kind_that_is_run():
    known = COMMANDS | FILES | {"python", OUTPUT}
    found = [block for page in PAGES for block in blocks(page, (ROOT / page).read_text())]
    assert [block.place for block in found if block.language not in known] == [], f"languages that are run: {known}"
    assert [block.place for block in found if not block.text.strip()] == []


def test_tables_of_sizes_speak_of_what_is_printed():
    printed = {step.command for step in STEPS}
    assert [each for each in SIZES if each not in printed] == [], "no longer printed: take it out of sizes.py"
    assert [(page, old) for page in SMALLER for old in SMALLER[page] if old not in (ROOT / page).read_text()] == []
    assert [each for each in NAMED if not any(each in (ROOT / page).read_text() for page in PAGES)] == []


@pytest.mark.parametrize("printed", ELSEWHERE)
def test_what_another_test_runs_is_named_there(printed):
    test = (ROOT / ELSEWHERE[printed]).read_text()
    assert printed in test or Path(printed).name in test


def test_blocks_are_read_as_they_are_printed():
    text = (
        '# x\n```python title="a.py"\nx = 1\n```\n- y\n  ```\n  $ dfplan eval \\\n    seed=1   # why\n  # no\n  ```\n'
    )
    first, second = blocks("p.md", text)
    assert (first.line, first.language, first.title, first.text) == (2, "python", "a.py", "x = 1\n")
    assert list(lines(second.text)) == ["dfplan eval seed=1"]
    said = "Say `dfplan plan seed=1`, `dfplan eval weights=<run>`, `dfplan info`, `make test` or `x`.\n" + text
    assert list(spans(said)) == ["dfplan plan seed=1", "make test"]


def marked(step: Step):
    """A step as a case: slow, but for what is looked at and not run."""
    quick = step.command.startswith(QUICK) or step.block.language in FILES
    return pytest.param(step, marks=[] if quick else [pytest.mark.slow], id=str(step))


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """What is given to whoever follows a page, and of each page the folder and the names of its Python."""
    given: dict[str, tuple[Path, types.ModuleType]] = {}
    store = tmp_path_factory.mktemp("given")
    lay_out(store)

    def of(page: str) -> tuple[Path, types.ModuleType]:
        if page not in given:
            folder = tmp_path_factory.mktemp(re.sub(r"\W", "-", page))
            for name in ("path", "pendulum.hdf5"):
                (folder / name).symlink_to(store / name)
            given[page] = folder, types.ModuleType("__main__")
        return given[page]

    return store, of


@pytest.mark.parametrize("step", [marked(step) for step in STEPS])
def test_what_is_printed_runs(step, request, monkeypatch, capfd):
    for word, module in NEEDS.items():
        if word in (step.command or step.block.text):
            pytest.importorskip(module)
    if step.command in ELSEWHERE:
        pytest.skip(f"run by {ELSEWHERE[step.command]}")
    if step.command.startswith(QUICK):
        look_at(step.command)
    elif step.block.language in FILES and not step.block.title:
        parse(step)
    else:
        store, of = request.getfixturevalue("followed")
        folder, names = of(step.block.page)
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("DFPLAN_CACHE", str(store / "cache"))
        monkeypatch.setenv("MINARI_DATASETS_PATH", str(store / "minari"))
        monkeypatch.setitem(sys.modules, "__main__", names)
        run(step, capfd) if step.command else carry_out(step, names)


def carry_out(step: Step, names: types.ModuleType) -> None:
    """A block: written to the file that its title names, or run after the blocks before it."""
    text, title = smaller(step, step.block.text), Path(step.block.title)
    if step.block.title:
        title.parent.mkdir(parents=True, exist_ok=True)
        title.write_text(text)
    if step.block.language != "python":
        parse(step)
    elif step.block.title:
        module = title.with_suffix("").as_posix().replace("/", ".")
        sys.modules.pop(module, None)  # of another page
        importlib.import_module(module)
    else:
        exec(compile("\n" * step.block.line + text, step.block.page, "exec"), names.__dict__)


def smaller(step: Step, text: str) -> str:
    """A text with what makes it quick in the place of what is printed."""
    for old, new in SMALLER.get(step.block.page, {}).items():
        text = text.replace(old, new)
    return text


def parse(step: Step) -> None:
    """A block of values is one."""
    read = {"yaml": yaml.safe_load, "toml": tomllib.loads, "json": json.loads}[step.block.language]
    assert read(step.block.text)


def look_at(command: str) -> None:
    """What `make` would run is there (`demo`, `check` and the tests are run for real elsewhere); extras are ours."""
    if not command.startswith("make "):
        asked = re.findall(r"dfplan\[([\w,-]+)\]", command)
        assert asked or re.search(r"install (-e )?(\.|dfplan|\S+\.whl)$", command), f"what is installed? {command}"
        assert [name for each in asked for name in each.split(",") if name not in EXTRAS] == []
        return
    words = ["make", "--dry-run", "--always-make", *shlex.split(command)[1:], f"PYTHON={sys.executable}"]
    answer = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
    assert [each for each in re.findall(r"\S+\.py\b", answer.stdout) if not (ROOT / each).is_file()] == []


def run(step: Step, capfd) -> None:
    """A command, with what makes it quick."""
    program, *words = filled_in(smaller(step, step.command))
    if program == "dfplan":
        words += SIZES.get(step.command, USUAL.get(words[0], ()) if "--help" not in words else ())
        assert main(words) == 0, capfd.readouterr().err
        assert capfd.readouterr().out.strip()
        return
    script = [str(ROOT / word) if word.startswith("examples/") else word for word in words]
    assert program in ("python", "torchrun"), f"{step}: dfplan, python, torchrun, make and pip install are run here"
    several = ["-m", "torch.distributed.run", "--standalone"] if program == "torchrun" else []
    answer = subprocess.run(
        [sys.executable, *several, *script, *SIZES.get(step.command, ())],
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr


def filled_in(command: str) -> list[str]:
    """The words of a command, the newest run folder in place of ``<time>`` and ``<its run folder>``."""

    def newest(folder: str) -> str:
        runs = sorted(Path().glob(f"{folder}/"), key=lambda path: path.stat().st_mtime)
        return str(runs[-1]) if runs else "missing"

    command = re.sub(r"(runs/[\w/.-]+)/<time>", lambda found: newest(f"{found[1]}/*"), command)
    if "<its run folder>" in command:
        command = command.replace("<its run folder>", newest("runs/train/*/*"))
    return shlex.split(command)
