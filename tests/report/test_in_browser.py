"""Pages of real runs in a real browser: they open from the disk without a network, move, and fit a phone."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from pendulum import write_pendulum

from dfplan.cli.main import main

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
MOST_BYTES = 5_000_000
TINY = ["training.num_steps=20", "training.compiled=false", "model.width=16", "model.num_layers=1", "threads=1"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="NO BROWSER: pages are not tested; apt-get install chromium"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="NO PLAYWRIGHT: pages are not tested; install [dev]"),
]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def opened(browser):
    """Opens a page without a network: a function of path, size and colours. What it says or asks for is no secret."""
    contexts, said = [], []

    def open_page(path: Path, size: dict, colours: str = "light"):
        context = browser.new_context(viewport=size, color_scheme=colours, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda asked: asked.url.startswith(("file:", "data:")) or said.append(f"asks: {asked.url}"))
        page.goto(path.as_uri())
        page.wait_for_load_state("load")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def evaluated(folder: Path, *words: str, command: str = "eval") -> Path:
    """The page of a run."""
    assert main([command, *words, "threads=1", f"output={folder}"]) in (0, 3)
    page = folder / "report.html"
    assert page.stat().st_size <= MOST_BYTES
    return page


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    words = ["env=maze2d-umaze", "planner=mctg", "planner.tree.max_nodes=24", "planner.num_candidates=4"]
    return evaluated(tmp_path_factory.mktemp("tree") / "run", *words, "n_episodes=3")


@pytest.fixture(scope="module")
def swung(tmp_path_factory):
    """Of an environment that is none of ours, with weights that have hardly begun to learn."""
    folder = tmp_path_factory.mktemp("pendulum")
    data = write_pendulum(folder / "pendulum.hdf5", num_episodes=6)
    assert main(["train", "env=Pendulum-v1", f"data={data}", f"output={folder / 'model'}", *TINY]) == 0
    words = ["env=Pendulum-v1", f"weights={folder / 'model'}", "planner.num_candidates=4", "n_episodes=3"]
    return evaluated(folder / "run", *words)


@pytest.fixture(scope="module")
def remembered(tmp_path_factory):
    """Of the T-maze, where no goal is told."""
    folder = tmp_path_factory.mktemp("tmaze")
    words = ["task=memory", "env=tmaze", "data=none", f"output={folder / 'model'}", *TINY]
    assert main(["train", *words, "task.num_episodes=8", "task.held_out_episodes=2"]) == 0
    return evaluated(folder / "run", "env=tmaze", f"weights={folder / 'model'}", "n_episodes=2")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    words = ["env=maze2d-umaze", "agents=fast,grid", "n_episodes=3", "n_plans=3", "least_plans=2", "timing_seconds=1"]
    return evaluated(tmp_path_factory.mktemp("bench") / "run", *words, command="bench")


@pytest.fixture(params=["searched", "swung", "remembered", "compared"])
def any_page(request):
    return request.getfixturevalue(request.param)


def wait_until(page, expression: str) -> None:
    """Wait for an expression to be true; Playwright's own way would compile it in the page, which forbids that."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"never came true: {expression}")


def moved(player) -> list[str]:
    """Pictures of a player with its slider at both ends and in the middle."""
    slider, pictures = player.locator("input[type=range]"), []
    last = int(slider.get_attribute("max"))
    for value in (0, last // 2, last):
        slider.fill(str(value))
        pictures.append(player.locator("svg.stage").first.inner_html())
    return pictures


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_no_page_is_wider_than_its_window(any_page, opened, size, colours):
    page = opened(any_page, size, colours)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.locator("section").count() >= 5
    assert page.locator("h1").inner_text()
    assert page.locator(".command").inner_text().split("=")[0] in ("dfplan eval env", "dfplan bench env")


def test_sliders_change_the_picture(any_page, opened):
    page = opened(any_page, DESK)
    kinds = set()
    for player in page.locator(".player:has(input)").all():
        kinds.add(player.get_attribute("data-kind"))
        first, middle, last = moved(player)
        assert len({first, middle, last}) > 1
        assert first != last
    assert kinds == {"episode", "plan"}


def test_a_plan_says_how_much_of_it_is_clean(searched, opened):
    page = opened(searched, DESK)
    player = page.locator(".player[data-kind=plan]")
    told, slider = player.locator("p[role=status]"), player.locator("input")
    slider.fill("0")
    assert told.inner_text().startswith("0 of ")
    slider.press("End")
    assert told.inner_text().startswith("all ")
    assert player.locator("output").inner_text().split(" / ")[0] == f"row {int(slider.get_attribute('max')) + 1}"


def test_a_plan_plays_by_itself(searched, opened):
    page = opened(searched, DESK)
    player = page.locator(".player[data-kind=plan]")
    before = player.locator("svg.stage").inner_html()
    player.locator("button").click()
    wait_until(page, "document.querySelector('.player[data-kind=plan] input').value > 2")
    assert player.locator("svg.stage").inner_html() != before


def test_a_tree_opens_and_shows_what_is_chosen(searched, opened):
    page = opened(searched, PHONE)
    tree = page.locator(".player[data-kind=tree]")
    way = tree.locator(".chosen-way")
    best, seen = way.get_attribute("d"), tree.locator(".pick").count()
    assert "★ the best" in tree.locator(".pick.chosen").inner_text()
    for each in tree.locator(".open[aria-expanded=false]").all():
        each.click()
    assert tree.locator(".pick").count() > seen
    other = tree.locator(".pick:not(.chosen)").last
    other.click()
    assert way.get_attribute("d") != best
    assert "value" in tree.locator("p[role=status]").inner_text()
    assert "visits" in other.inner_text()


@pytest.mark.skipif(find_spec("imageio_ffmpeg") is None, reason="NO FFMPEG: films are not tested; install [video]")
@pytest.mark.parametrize("name", ["searched", "remembered", "compared"])
def test_films_play(name, opened, request):
    page = opened(request.getfixturevalue(name), DESK)
    videos = page.locator("video")
    assert videos.count() >= 2
    videos.first.evaluate("video => video.play()")
    wait_until(page, "document.querySelector('video').currentTime > 0.2")
    assert videos.first.evaluate("video => video.videoWidth") > 100


def test_all_is_there_without_a_script_but_what_moves(searched, browser):
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(searched.as_uri())
    assert page.locator("#scores table").is_visible()
    assert page.locator("noscript").inner_text()
    context.close()
