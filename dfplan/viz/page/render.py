"""Content as HTML by Jinja, which escapes texts; numbers for the scripts are JSON that cannot end its element.

The page says itself, by a Content-Security-Policy, that nothing but its own script runs, and that nothing is loaded.
"""

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from dfplan.viz.page.content import Content

SCRIPTS = ("draw.js", "players.js", "trees.js")
NOT_IN_SCRIPTS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render_page(content: Content) -> str:
    """The page, of which nothing lies outside."""
    script = "\n".join(_asset(name) for name in SCRIPTS)
    numbers = {
        "scene": content.scene,
        "agents": [
            {"episodes": [each.drawn for each in agent.episodes], "plan": agent.plan, "tree": agent.tree}
            for agent in content.agents
        ],
    }
    return _template().render(
        content=content,
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=_asset("page.css"),
        script=script,
        settings=json.dumps(content.config, indent=1, ensure_ascii=False),
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
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["data"] = _data
    return environment.from_string(_asset("page.html"))


@cache
def _asset(name: str) -> str:
    return files("dfplan.viz.page").joinpath("assets", name).read_text(encoding="utf-8")


def _data(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
