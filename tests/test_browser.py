"""What people look at, in a real browser: the report on a desk, on a phone and on paper; MLflow's comparison.

Chromium is the machine's own, or one that Playwright installed; without either these tests are skipped, and
say so."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pictures import drawn
from playwright.sync_api import Browser, Page, sync_playwright
from studies import ROOT, command
from worlds import SAMPLED

from experiments.claims.inquiry import Inquiry, write_page
from experiments.walk.__main__ import walk
from handnet.command import main

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]
SIZES = {"desk": (1280, 900), "phone": (390, 800)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = next(
            (path for name in NAMES if (path := shutil.which(name))), own if Path(own).exists() else None
        )
        if found is None:
            pytest.skip("there is no Chromium on this machine")
        with playwright.chromium.launch(executable_path=found, args=QUIET) as chromium:
            yield chromium


@pytest.fixture(scope="module")
def home(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(finished, tmp_path_factory.mktemp("looked-at") / "home"))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    tab = browser.new_page()
    yield tab
    tab.close()


def report(home: Path) -> Path:
    (found,) = (home / "reports").glob("*/report.html")
    return found


# The report


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_the_report_fits_fetches_nothing_and_runs_nothing(
    browser: Browser, home: Path, size: str, scheme: str
) -> None:
    width, height = SIZES[size]
    tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    asked: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.goto(report(home).as_uri())
    assert asked == [report(home).as_uri()]
    assert complaints == []
    assert tab.evaluate("document.scripts.length") == 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the window"
    verdict = tab.locator(".verdict")
    assert verdict.is_visible()
    assert verdict.bounding_box()["y"] < height, "the verdict is the first thing seen"
    paper, ink = (
        tab.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")
    )
    light, dark = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (paper, ink))
    assert (light > dark) == (scheme == "light")
    assert abs(light - dark) > 450
    tab.close()


def test_every_link_of_the_report_leads_somewhere_and_every_fold_opens(page: Page, home: Path) -> None:
    page.goto(report(home).as_uri())
    targets = page.eval_on_selector_all("nav a", "all => all.map(one => one.getAttribute('href'))")
    assert len(targets) > 5
    for target in targets:
        assert page.locator(target).count() == 1, target
    folds = page.locator("details")
    assert folds.count() > 3
    for fold in folds.all():
        table = fold.locator("table, p").first
        assert not table.is_visible() or fold.get_attribute("open") is not None
        fold.evaluate("one => one.open = true")
        assert table.is_visible()
    for picture in page.locator("figure > div").all():
        assert picture.get_attribute("role") == "img"
        assert len(picture.get_attribute("aria-label")) > 20


def test_on_paper_nothing_is_folded(page: Page, home: Path) -> None:
    page.goto(report(home).as_uri())
    page.emulate_media(media="print")
    for fold in page.locator("details").all():
        assert fold.locator("table, p").first.bounding_box()["height"] > 0
        assert (
            fold.evaluate("one => getComputedStyle(one, '::details-content').contentVisibility") == "visible"
        )
    assert len(page.pdf(format="A4")) > 20_000


# The walk


@pytest.mark.parametrize(("size", "scheme"), [("desk", "dark"), ("phone", "light")])
def test_the_walk_fits_and_fetches_nothing(browser: Browser, walked: Path, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    mask_diverged: list[str] = []
    tab.on("request", lambda request: mask_diverged.append(request.url))
    tab.on("console", lambda message: mask_diverged.append(message.text))
    tab.goto(walked.as_uri())
    assert mask_diverged == [walked.as_uri()]
    assert tab.evaluate("document.scripts.length") == 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the window"
    assert "Every slope agrees" in tab.locator(".verdict").inner_text()
    assert tab.locator(".verdict").bounding_box()["y"] < height
    for target in tab.eval_on_selector_all("nav a", "all => all.map(one => one.getAttribute('href'))"):
        assert tab.locator(target).count() == 1
    for picture in tab.locator("figure svg").all():
        no_words_overlap(picture.bounding_box(), tab.evaluate(BOXES, picture.element_handle()))
    tab.close()


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walked")
    assert main(walk, ["--mlruns", str(folder)]) == 0
    return folder / "walk" / "walk.html"


# The claims


@pytest.mark.parametrize(("size", "scheme"), [("desk", "dark"), ("phone", "light")])
def test_the_claims_fit_and_fetch_nothing(browser: Browser, tmp_path: Path, size: str, scheme: str) -> None:
    """A few of those of planted worlds, half of them true."""
    width, height = SIZES[size]
    planted = [claim(place % 2 == 0, 20) for place, claim in enumerate(SAMPLED[::6])]
    inquiry = Inquiry("claims", "Claims, tried", "claims", "A source.", "Somewhere.", "A rule.", 20, [])
    made = write_page(inquiry.facts(planted), tmp_path, "claims")
    tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    mask_diverged: list[str] = []
    tab.on("request", lambda request: mask_diverged.append(request.url))
    tab.on("console", lambda message: mask_diverged.append(message.text))
    tab.goto(made.as_uri())
    assert mask_diverged == [made.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the window"
    assert tab.locator(".verdict").bounding_box()["y"] < height
    pictures = tab.locator("figure svg").all()
    assert len(pictures) == len(SAMPLED[::6])
    for picture in pictures:
        no_words_overlap(picture.bounding_box(), tab.evaluate(BOXES, picture.element_handle()))
        assert picture.bounding_box()["width"] > 450, "its words can be read on a phone too"
    tab.close()


# The pictures

BOXES = """picture => [...picture.querySelectorAll('text')].filter(one => one.textContent.trim()).map(one => {
  const box = one.getBoundingClientRect();
  return [one.textContent.trim(), box.left, box.top, box.right, box.bottom]; })"""


@pytest.mark.parametrize("name", list(drawn()))
def test_no_words_of_a_picture_overlap_or_leave_it(page: Page, name: str) -> None:
    picture = drawn()[name].decode()
    page.set_content(f"<body style='margin:0'>{picture[picture.index('<svg') :]}</body>")
    boxes = page.evaluate(BOXES, page.locator("svg").element_handle())
    assert len(boxes) > 4
    no_words_overlap(page.locator("svg").bounding_box(), boxes)


def no_words_overlap(frame: dict[str, float], boxes: list[tuple[str, float, float, float, float]]) -> None:
    for place, (text, left, top, right, bottom) in enumerate(boxes):
        assert left >= frame["x"] - 1, text
        assert top >= frame["y"] - 1, text
        assert right <= frame["x"] + frame["width"] + 1, text
        assert bottom <= frame["y"] + frame["height"] + 1, text
        for other, *box in boxes[:place]:
            wide = min(right, box[2]) - max(left, box[0])
            high = min(bottom, box[3]) - max(top, box[1])
            assert wide < 1 or high < 3, f"{text!r} lies on {other!r}"  # line boxes are taller than letters


AXES = {
    "forest": ["accuracy on test rows"],
    "every seed": ["accuracy on test rows", "log loss on test rows"],
    "history": ["trial", "validation log loss"],
    "contour": ["learning rate", "dropout", "validation log loss"],
    "curves": ["epoch", "log loss, dropout off"],
    "reliability": ["the ensemble's probability", "share of positives"],
    "reliability of calls": ["the ensemble's probability of the class it calls", "share of right calls"],
    "calls": ["called", "true class"],
    "curves of a number": ["epoch", "half squared error in variances", "of the train target, dropout off"],
    "every seed 1e+06": ["RMSE on test rows", "mean absolute error on test rows"],
    "history 1e-06": ["validation mean squared error"],
    "differences, points": ["accuracy, points by which the first is higher"],
    "differences, per cent": ["RMSE, per cent by which the first is lower"],
    "differences, nats": ["log loss, nats by which the first is lower"],
}


@pytest.mark.parametrize("name", list(AXES))
def test_axes_are_labelled(name: str) -> None:
    words = re.findall(r">([^<>]*[a-z]{3}[^<>]*)</text>", drawn()[name].decode())
    assert set(AXES[name]) <= set(words)


# MLflow


def eventually(page: Page, holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether it holds before long; the page goes on meanwhile."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        page.wait_for_timeout(200)
    return holds()


@pytest.fixture(scope="module")
def ui(home: Path) -> Iterator[str]:
    """The address `make ui` prints for the study."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = command(home, "ui", f"PORT={port}")
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        lines = iter(server.stdout.readline, "")
        yield next(
            found[0]
            for line in lines
            if (found := re.search(r"http://127\.0\.0\.1:\d+/#/experiments/\S+", line))
        )
        server.terminate()


def test_the_comparison_opens_on_what_matters(page: Page, ui: str) -> None:
    refused: list[str] = []
    page.on("response", lambda one: refused.append(one.url) if one.status >= 400 else None)
    page.set_viewport_size({"width": 1900, "height": 1000})
    page.goto(ui)
    page.get_by_text("winner", exact=True).first.wait_for(timeout=60_000)
    headings = page.locator("[role=columnheader]")
    assert eventually(page, lambda: "val/log_loss" in headings.all_inner_texts())
    # In the order they are seen; a heading and the group above it may say the same.
    seen = sorted((one.bounding_box()["x"], one.inner_text()) for one in headings.all() if one.is_visible())
    shown = [
        text
        for text in dict.fromkeys(text for _, text in seen)
        if re.search(r"role|rate|dropout|epochs|/", text)
    ]
    first = [
        "role",
        "learning_rate",
        "dropout",
        "epochs",
        "val/log_loss",
        "val/log_loss.seeds.q025",
        "val/log_loss.seeds.q975",
    ]
    assert shown[: len(first)] == first
    cells = page.locator("[role=gridcell]:is([col-id$='val/log_loss'], [col-id$='val/log_loss`'])")
    assert eventually(page, lambda: cells.count() >= 7)
    tops = [
        (cell.bounding_box()["y"], float(cell.inner_text()))
        for cell in cells.all()
        if cell.inner_text().strip() not in ("", "-")
    ]
    values = [value for _, value in sorted(tops)]
    assert values == sorted(values)
    assert page.get_by_text("never alone").count() >= 1  # the description says what to compare

    # Parts that are shut off, or that MLflow itself has only with a login.
    assert [url for url in refused if not re.search(r"/mlflow/(assistant/\w+|users/current)$", url)] == []

    page.goto("about:blank")
    page.goto(f"{ui}&compareRunsMode=CHART")
    page.get_by_text("Parallel Coordinates").first.wait_for(timeout=60_000)
    assert page.get_by_text("gap/gap.seeds.mean vs. val/log_loss").count() >= 1


def test_the_report_is_beside_the_winner(page: Page, ui: str) -> None:
    page.set_viewport_size({"width": 1600, "height": 1000})
    page.goto(ui)
    page.get_by_role("link", name="winner", exact=True).first.click(timeout=60_000)
    page.get_by_role("tab", name="Artifacts").click(timeout=60_000)
    close = page.get_by_label("Close")
    if close.count():
        close.last.click()
    page.get_by_text("report", exact=True).first.click(timeout=30_000)
    page.get_by_text("report.html").first.click(timeout=30_000)
    assert eventually(
        page,
        lambda: any(
            frame.locator(".verdict").count() for frame in page.frames if frame is not page.main_frame
        ),
    )
    page.get_by_text("forest.svg").first.click()
    page.locator("img[src*='blob:'], .image-outer-container img, img[class*='image']").first.wait_for(
        timeout=30_000
    )
