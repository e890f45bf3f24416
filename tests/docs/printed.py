"""What the documents print to be run: their blocks of code, and the commands in their sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from sizes import ELSEWHERE, NAMED

ROOT = Path(__file__).parents[2]
# What was typed years ago, or stands in a decision, is told and not run.
TOLD = ("docs/log", "docs/decisions")
PAGES = [
    name
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    if not (name := path.relative_to(ROOT).as_posix()).startswith(TOLD) and name not in ELSEWHERE
]
FENCED = re.compile(r"^( *)```([^\n`]*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
COMMANDS = {"", "console"}  # languages of blocks of which every line is a command
FILES = {"yaml", "toml", "json"}
OUTPUT = "text"  # printed, drawn or abridged: not run


@dataclass(frozen=True)
class Block:
    """A block of code as it stands in a page: its language, the file that its title names, and its text."""

    page: str
    line: int
    language: str
    title: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Step:
    """One thing to run: a command as printed, a block of Python, or a file to write."""

    block: Block
    command: str = ""

    def __str__(self) -> str:
        return f"{self.block.place} {self.command}".strip()


def blocks(page: str, text: str) -> Iterator[Block]:
    """The blocks of a page, in their order."""
    for found in FENCED.finditer(text):
        language, _, rest = found[2].strip().partition(" ")
        title = re.search(r'title="([^"]+)"', rest)
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, line, language, title[1] if title else "", dedent(found[3]))


def lines(text: str) -> Iterator[str]:
    """The commands of a block, over several lines where these end in a backslash, without prompts and comments."""
    for line in text.replace("\\\n", " ").splitlines():
        command = " ".join(re.split(r"(?:^|\s)#(?:\s|$)", line)[0].removeprefix("$ ").split())
        if command:
            yield re.sub(r"^\.venv/bin/", "", command)


def spans(text: str) -> Iterator[str]:
    """Commands with options that stand in sentences; those with a gap to be filled are names alone."""
    for found in SPAN.findall(FENCED.sub("", text)):
        command = " ".join(found.split())
        whole = not re.search(r"<|…|\.\.\.", command)
        if whole and (re.match(r"make \w", command) or re.match(r"dfplan \w.*[= ]-?\S", command)):
            yield command


def steps(page: str, text: str) -> list[Step]:
    """All that a page prints to be run: its blocks in their order, then the commands of its sentences."""
    found = []
    for block in blocks(page, text):
        if block.language in COMMANDS and not block.title:
            found += [Step(block, command) for command in lines(block.text)]
        elif block.language != OUTPUT:
            found.append(Step(block))
    printed = {step.command for step in found} | NAMED
    sentence = Block(page, 0, "console", "", "")
    spoken = dict.fromkeys(command for command in spans(text) if command not in printed and "=" in command)
    targets = dict.fromkeys(each for each in spans(text) if each.startswith("make ") and each not in printed)
    return [*found, *(Step(sentence, command) for command in [*spoken, *targets])]


STEPS = [step for page in PAGES for step in steps(page, (ROOT / page).read_text())]
