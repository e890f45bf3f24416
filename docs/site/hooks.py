"""What the documents link to in the repository becomes part of the site: pages of Markdown, sources, results, pictures.

MkDocs knows the files of ``docs/`` alone. Whatever these, the README and the pages of the benchmarks link to is added
beside them, under its path in the repository, and links are turned to where it lies in the site.
"""

import re
import sys
from html import unescape
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
from links import ROOT, resolved, targets, with_links  # beside this file, which MkDocs loads by its path

README = Path("README.md")
DOCS = Path("docs")
SHOWN = {".py": "python", ".yaml": "yaml", ".toml": "toml", ".sh": "bash", ".xml": "xml", ".cff": "yaml", "": "text"}
AS_THEY_ARE = {".json", ".jsonl", ".png", ".gif", ".svg", ".txt", ".npz", ".html", ".mp4"}


def place(path: Path) -> str:
    """Where a file of the repository lies among the sources of the site."""
    if path == README:
        return "index.md"
    if (ROOT / path).is_dir():
        whole = ROOT / path
        inside = next((name for name in ("README.md", "index.md") if (whole / name).is_file()), None)
        return place(path / inside) if inside else f"{path.as_posix()}/index.md".removeprefix("docs/")
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    kept = path.suffix == ".md" or path.suffix in AS_THEY_ARE
    return path.as_posix() if kept else f"{path.as_posix()}.md"


def origin(uri: str) -> Path:
    """The file of the repository that a page of Markdown was made of."""
    if uri == "index.md":
        return README
    return DOCS / uri if (ROOT / DOCS / uri).is_file() else Path(uri)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README as the first page, and all that is linked to."""
    waiting = [README, *(DOCS / each.src_uri for each in files.documentation_pages())]
    seen = set(waiting)
    files.append(File.generated(config, "index.md", abs_src_path=str(ROOT / README)))
    while waiting:
        page = waiting.pop()
        for target in targets((ROOT / page).read_text()):
            path, _ = resolved(page, target)
            if path in seen or not (ROOT / path).exists():
                continue  # what is missing is told by MkDocs itself, where the link stands
            seen.add(path)
            if (ROOT / path).is_dir() and (ROOT / path / "README.md").is_file():
                path = path / "README.md"
                seen.add(path)
            if files.get_file_from_path(place(path)) is None:
                files.append(_added(path, config))
                if path.suffix == ".md":
                    waiting.append(path)
    return files


def _added(path: Path, config: MkDocsConfig) -> File:
    """A file of the repository as one of the site."""
    whole, uri = ROOT / path, place(path)
    if path.suffix == ".md" or path.suffix in AS_THEY_ARE:
        return File.generated(config, uri, abs_src_path=str(whole))
    hidden = f"---\nsearch:\n  exclude: true\n---\n\n# {path.as_posix()}\n\n"
    if whole.is_dir():
        names = sorted(each.name for each in whole.iterdir() if not each.name.startswith(("_", ".")))
        return File.generated(config, uri, content=hidden + "".join(f"- `{name}`\n" for name in names))
    language = SHOWN.get(path.suffix, "text")
    return File.generated(config, uri, content=f"{hidden}~~~~~~{language}\n{whole.read_text()}\n~~~~~~\n")


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links of the repository into links of the site; what is folded away may hold tables."""
    here = origin(page.file.src_uri)
    if not (ROOT / here).is_file() or here.suffix != ".md":
        return markdown

    def turned(target: str) -> str:
        if not target.partition("#")[0]:
            return target
        path, heading = resolved(here, target)
        if not (ROOT / path).exists():
            return target
        there = PurePosixPath(place(path))
        up = len(PurePosixPath(page.file.src_uri).parent.parts)
        return "../" * up + there.as_posix() + (f"#{heading}" if heading else "")

    return with_links(markdown, turned).replace("<details>", '<details markdown="1">')


ROLE = re.compile(r":(?:meth|class|func|attr|mod|data|obj):<code>~?([^<]*)</code>")
INTERVAL = re.compile(r"(?<=[>\d]) \[(-?[\d.,]+), (-?[\d.,]+)\]")
FORMULA = re.compile(r"<(span|div) class=\"arithmatex\">\\([(\[])(.*?)\\[)\]]</\1>", re.DOTALL)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Formulas as MathML, which needs no script; names that docstrings refer to; intervals that stay on their line."""
    html = FORMULA.sub(_drawn, html)
    html = ROLE.sub(lambda name: f"<code>{name[1].rsplit('.', 1)[-1]}</code>", html)
    html = re.sub(r"<p>::</p>\s*", "", html).replace("::</p>", ":</p>")
    return INTERVAL.sub(r"&nbsp;[\1,&nbsp;\2]", html)


def _drawn(formula: re.Match[str]) -> str:
    from latex2mathml.converter import convert

    return convert(unescape(formula[3]), display="inline" if formula[2] == "(" else "block")
