"""Links of Markdown files: to other files of the repository, and to headings of them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
# Words of code; or what stands before a target, and the target, in Markdown and in HTML.
LINK = re.compile(r"(`+[^`]*`+)|(\]\()([^)\s]+)(?=\)| \")|((?:src|href)=\")([^\"]+)(?=\")")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//")


def with_links(text: str, turned: Callable[[str], str]) -> str:
    """A text of Markdown with the targets of its links turned into others; what is code stays as it is."""
    lines, fence = [], ""
    for line in text.split("\n"):
        found = FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and line.strip() == fence:
            fence = ""
        elif not fence:
            line = LINK.sub(lambda each: _turned(each, turned), line)
        lines.append(line)
    return "\n".join(lines)


def _turned(link: re.Match[str], turned: Callable[[str], str]) -> str:
    if link[1]:
        return link[0]
    before, target = (link[2], link[3]) if link[3] else (link[4], link[5])
    return before + (target if ELSEWHERE.match(target) else turned(target))


def targets(text: str) -> list[str]:
    """All that a text links to within the repository, with ``#heading`` where it names one."""
    found: list[str] = []
    with_links(text, lambda target: found.append(target) or target)
    return found


def resolved(page: Path, target: str) -> tuple[Path, str]:
    """The file that a link of a page means, and the heading in it; both paths as of the repository's root."""
    name, _, heading = target.partition("#")
    path = page.parent / name if name else page
    return Path(*_without_dots(path.parts)), heading


def _without_dots(parts: tuple[str, ...]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        if part == ".." and kept and kept[-1] != "..":
            kept.pop()
        elif part != ".":
            kept.append(part)
    return kept


def headings(text: str) -> Iterator[str]:
    """Names by which the headings of a text are linked to, as GitHub and the site make them."""
    fence, seen = "", {}
    for line in text.split("\n"):
        found = FENCE.match(line)
        if found and (not fence or line.strip() == fence):
            fence = "" if fence else found[1]
        elif not fence and (title := re.match(r"#{1,6} +(.+?)(?: +#+)?$", line)):
            name = named(title[1])
            seen[name] = seen.get(name, -1) + 1
            yield f"{name}_{seen[name]}" if seen[name] else name
        yield from re.findall(r"<a (?:id|name)=\"([^\"]+)\"", line) if not fence else ()


def named(title: str) -> str:
    """The name of a heading: small letters, digits and hyphens in place of spaces."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
    return re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
