"""Content as HTML: texts are escaped, numbers for the scripts are JSON that cannot end its element.

The page says itself, by a Content-Security-Policy, that nothing but its own script runs, and that nothing is loaded.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from dfplan.viz.page.content import AgentView, Content, EpisodeView, Listing

SCRIPTS = ("draw.js", "players.js", "trees.js")
NOT_IN_SCRIPTS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render_page(content: Content) -> str:
    """The page, of which nothing lies outside."""
    script = "\n".join(_asset(name) for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    numbers = {
        "scene": content.scene,
        "agents": [
            {"episodes": [each.drawn for each in agent.episodes], "plan": agent.plan, "tree": agent.tree}
            for agent in content.agents
        ],
    }
    sections = [
        _section("scores", "Scores", _table(content.scores) + _charts(content.charts) + _picture(content.picture)),
        _section("episodes", "Episodes", "".join(_episodes(content, number) for number in range(len(content.agents)))),
        _section("plan", "How a plan is denoised", "".join(_plan(content, number) for number in _numbers(content))),
        _section("tree", "The tree of plans", "".join(_tree(content, number) for number in _numbers(content))),
        _section("constraints", "Constraints", _constraints(content.constraints)),
        _section("times", "What it took", _table(content.times)),
        _section("again", "Do it again", _again(content)),
        _section("configuration", "Configuration", _configuration(content)),
    ]
    return Template(_asset("page.html")).substitute(
        title=escape(content.title),
        digest=digest,
        style=_asset("page.css"),
        script=script,
        facts="".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in content.facts),
        sections="\n".join(filter(None, sections)),
        numbers=as_script_json(numbers),
    )


def as_script_json(value: Any) -> str:
    """JSON that may stand within a script element: what could end that, or begin another, is written as an escape.

    Raises:
        ValueError: a number in it is not finite.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    for character, written in NOT_IN_SCRIPTS.items():
        text = text.replace(character, written)
    return text


@cache
def _asset(name: str) -> str:
    return files("dfplan.viz.page").joinpath("assets", name).read_text(encoding="utf-8")


def _section(name: str, title: str, body: str) -> str:
    """A section; nothing where there is nothing in it."""
    return f'<section id="{name}"><h2>{escape(title)}</h2>{body}</section>' if body else ""


def _numbers(content: Content) -> range:
    return range(len(content.agents))


def _table(listing: Listing) -> str:
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in listing.columns)
    head = f"<thead><tr>{head}</tr></thead>" if any(listing.columns) else ""
    rows = []
    for label, *cells in listing.rows:
        row = "".join(f"<td>{escape(each)}</td>" for each in cells)
        rows.append(f'<tr><th scope="row">{escape(label)}</th>{row}</tr>')
    note = f'<p class="note">{escape(listing.note)}</p>' if listing.note else ""
    told = "" if listing.columns[-1] else ' class="told"'  # whose last column says something of the others
    table = f"<table{told}>{head}<tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>{note}'


def _charts(charts: Mapping[str, str]) -> str:
    shown = "".join(
        f'<figure class="card chart" role="img" aria-label="{escape(name)}"><figcaption>{escape(name)}</figcaption>'
        f"{svg}</figure>"
        for name, svg in charts.items()
    )
    return f'<div class="cards">{shown}</div>' if shown else ""


def _picture(picture: bytes | None) -> str:
    if picture is None:
        return ""
    return (
        '<details class="card" open><summary>all of them in one picture</summary>'
        f'<img alt="all of them in one picture" src="{_data("image/png", picture)}"></details>'
    )


def _episodes(content: Content, number: int) -> str:
    agent = content.agents[number]
    if not agent.episodes:
        return ""
    shown = "".join(_episode(each, number, index) for index, each in enumerate(agent.episodes))
    return f'{_name(agent, content)}<div class="cards">{shown}</div>'


def _episode(view: EpisodeView, agent: int, index: int) -> str:
    parts = [f"<h3>{escape(view.name)}</h3><p>{escape(view.title)}</p>"]
    if view.film is not None:
        source, poster = _data("video/mp4", view.film.video), _data("image/jpeg", view.film.poster)
        look = f'controls muted loop playsinline preload="metadata" poster="{poster}"'
        parts.append(f'<video {look} src="{source}" aria-label="{escape(view.title)}"></video>')
    if view.drawn is not None:
        parts.append(f'<div class="player" data-kind="episode" data-agent="{agent}" data-index="{index}"></div>')
    if view.note:
        parts.append(f'<p class="note">{escape(view.note)}</p>')
    return f'<article class="card">{"".join(parts)}</article>'


def _plan(content: Content, number: int) -> str:
    agent = content.agents[number]
    if agent.plan is None:
        note = agent.plan_note
        return f'{_name(agent, content)}<p class="note">{escape(note)}</p>' if note else ""
    return (
        f'{_name(agent, content)}<p>{escape(agent.plan_note)}</p><div class="card player wide" data-kind="plan" '
        f'data-agent="{number}"></div>'
    )


def _tree(content: Content, number: int) -> str:
    agent = content.agents[number]
    if agent.tree is None:
        return ""
    return f'{_name(agent, content)}<div class="card player wide" data-kind="tree" data-agent="{number}"></div>'


def _name(agent: AgentView, content: Content) -> str:
    """Whose it is, where there are several."""
    return f"<h3>{escape(agent.name)}</h3>" if len(content.agents) > 1 else ""


def _constraints(listing: Listing | None) -> str:
    return "" if listing is None else _table(listing)


def _again(content: Content) -> str:
    note = f'<p class="note">{escape(content.command_note)}</p>' if content.command_note else ""
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{_value(each)}</dd></div>" for name, each in _flat(content))
    return f'<pre class="command"><code>{escape(content.command)}</code></pre>{note}<dl class="facts">{facts}</dl>'


def _flat(content: Content) -> list[tuple[str, Any]]:
    """Circumstances with those in groups one by one."""
    found: list[tuple[str, Any]] = []
    for name, value in content.circumstances.items():
        found += value.items() if isinstance(value, Mapping) else [(name, value)]
    return found


def _value(value: Any) -> str:
    return escape("–" if value is None else str(value))


def _configuration(content: Content) -> str:
    told = escape(json.dumps(content.config, indent=1, ensure_ascii=False))
    return f"<details><summary>all settings, as in results.json</summary><pre>{told}</pre></details>"


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
