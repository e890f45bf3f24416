"""A page holds what it was given as text, runs its own script alone and asks for nothing from outside."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from dfplan.viz.page import AgentView, Content, EpisodeView, Listing, render_page
from dfplan.viz.page.charts import draw_scores, draw_times
from dfplan.viz.page.film import Film
from dfplan.viz.page.render import as_script_json

ATTACK = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u2028$title ${digest}"


class Elements(HTMLParser):
    """Every element with its attributes, and what stands in each script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._in_script = False

    def handle_data(self, data):
        if self._in_script:
            self.scripts[-1] += data


def page_of(text: str) -> str:
    """A page with a text in every place that takes one."""
    drawn = {"steps": [0, 1], "points": [[0, 0], [1, 1]], "goal": None, text: text}
    table = Listing((text, text), [(text, text)], note=text)
    chart = draw_scores(np.array([1.0, 2.0]), {"mean": 1.5, "low": 1.0, "high": 2.0}, name=text)
    return render_page(
        Content(
            title=text,
            facts=[(text, text)],
            scores=table,
            times=table,
            constraints=table,
            config={text: [text]},
            circumstances={text: text, "versions": {text: text}},
            command=text,
            command_note=text,
            charts={text: chart, "times": draw_times({text: [0.1, 0.2], "b": [0.3]})},
            agents=[
                AgentView(text, [EpisodeView(text, text, drawn, Film(b"mp4", b"jpg"), text)], plan_note=text),
                AgentView(text),
            ],
            scene={"limits": [0, 0, 1, 1], "blocks": [], "radius": 0.1, text: text},
            picture=b"png",
        )
    )


def test_nothing_that_is_said_becomes_markup():
    attacked, harmless = Elements(page_of(ATTACK)), Elements(page_of("harmless"))
    assert [tag for tag, _ in attacked.found] == [tag for tag, _ in harmless.found]
    assert not any(name.startswith("on") for _, attributes in attacked.found for name in attributes)
    assert len(attacked.scripts) == 2
    assert json.loads(attacked.scripts[0])["scene"][ATTACK] == ATTACK


def test_no_script_runs_but_the_one_of_the_page():
    page = Elements(page_of(ATTACK))
    policy = next(each["content"] for tag, each in page.found if each.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "innerHTML" not in page.scripts[1]


def test_nothing_is_asked_for_from_outside():
    page = Elements(page_of("harmless"))
    asked = [each[name] for _, each in page.found for name in ("src", "href", "poster", "xlink:href") if name in each]
    assert asked
    assert all(each.startswith(("data:", "#")) for each in asked), asked


def test_charts_take_the_colours_of_the_page():
    chart = draw_scores(np.array([1.0, 2.0, 4.0]), {"mean": 2.0, "low": 1.0, "high": 3.0}, name="return")
    assert "currentColor" in chart
    assert not re.search(r"#01020\d|#01[0-9a-f]{2}ff", chart)
    assert "<style" not in chart  # whose rules would be those of the whole page


@pytest.mark.parametrize("value", [ATTACK, {"<": [1.5, None, True]}, "\u2029"])
def test_numbers_for_the_scripts_are_what_they_were(value):
    text = as_script_json(value)
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")


def test_a_number_that_is_none_is_refused_rather_than_written_as_no_json():
    with pytest.raises(ValueError, match="JSON"):
        as_script_json([float("nan")])
