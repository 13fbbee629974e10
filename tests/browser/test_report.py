"""The report of iacfilter-compare in a real browser: on a screen, on a phone, on paper."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from PIL import Image

from iacfilter_hpc.comparison.html import render_html
from tests.browser.chromium import measure, visit
from tests.comparison.made_data import made_comparison

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("browser_programs")]

HOSTILE = "<script>console.log('in')</script><img src=http://evil.example/x>"
LONG = "w" * 60
FILE = f"{'oracle' * 30}.jsonl"
FIGURES = 5
SIZES = """(window, document) => ({
    window: window.innerWidth,
    page: document.documentElement.scrollWidth,
    figures: [...document.images].map(
        (image) => [image.naturalWidth, image.clientWidth, image.clientHeight]),
    wide: [...document.querySelectorAll("body *")].filter(
        (element) => element.getBoundingClientRect().right > window.innerWidth + 1
            && !element.closest(".scroll")).map((element) => element.outerHTML.slice(0, 200)),
    scrolled: [...document.querySelectorAll(".scroll")].filter(
        (element) => element.scrollWidth > element.clientWidth).length,
    cells: [...document.querySelectorAll(".confusion td span")].filter(
        (span) => span.scrollWidth > span.clientWidth).length,
})"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with names that try to break out."""
    folder = tmp_path_factory.mktemp("report")
    path = folder / "report.html"
    path.write_text(
        render_html(made_comparison(folder, LONG, HOSTILE, file=FILE)), encoding="utf-8"
    )
    return path


def test_it_asks_for_nothing_and_says_nothing(report: Path) -> None:
    seen = visit(report, "--dump-dom")
    assert (seen.console, seen.fetched) == ((), ())
    assert "&lt;script&gt;console.log('in')&lt;/script&gt;" in seen.dom
    assert "<script" not in seen.dom


def test_that_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<script>console.error('oh')</script><img src=http://evil.example/x.png>"
        "<link rel=stylesheet href=https://fonts.googleapis.com/x.css>"
    )
    seen = visit(page, "--dump-dom")
    assert any("oh" in line for line in seen.console)
    assert seen.fetched == ("http://evil.example/x.png", "https://fonts.googleapis.com/x.css")


@pytest.mark.parametrize("width", [1280, 400])
def test_it_fits_the_window_and_every_figure_is_drawn(
    report: Path, tmp_path: Path, width: int
) -> None:
    sizes = measure(report, tmp_path, SIZES, width)
    assert isinstance(sizes, dict)
    assert sizes["window"] == width
    assert sizes["page"] <= width and sizes["wide"] == []
    assert len(sizes["figures"]) == FIGURES
    assert all(natural > 100 and w > 100 and h > 80 for natural, w, h in sizes["figures"])
    assert sizes["cells"] == 0
    assert (sizes["scrolled"] > 0) is (width == 400), "wide tables scroll inside themselves"


@pytest.mark.parametrize(("width", "height"), [(1280, 4200), (400, 8000)])
def test_its_picture_has_colours(report: Path, tmp_path: Path, width: int, height: int) -> None:
    picture = tmp_path / "picture.png"
    visit(report, f"--screenshot={picture}", width=width, height=height)
    with Image.open(picture) as image:
        assert image.size == (width, height)
        colours = image.convert("RGB").getcolors(maxcolors=2**24)
    assert colours is not None
    # the first two systems in their figures, and a full cell of a confusion matrix
    for wanted in ((0, 114, 178), (213, 94, 0), (115, 178, 213)):
        assert any(is_near(colour, wanted) for _, colour in colours), wanted


def is_near(one: tuple[int, ...], two: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(one, two, strict=True)) <= 2


def test_on_paper(report: Path, tmp_path: Path) -> None:
    pdf = tmp_path / "report.pdf"
    visit(report, "--no-pdf-header-footer", f"--print-to-pdf={pdf}")
    info = subprocess.run(["pdfinfo", pdf], capture_output=True, text=True, check=True).stdout
    fields = dict(line.split(":", 1) for line in info.splitlines())
    assert 3 <= int(fields["Pages"]) <= 8
    assert "A4" in fields["Page size"]
    text = subprocess.run(
        ["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True, check=True
    ).stdout
    for words in (
        "Comparison on",
        "What these data can tell",
        "Confusion matrices",
        "How to read this",
        "sha256 of it",
        "F1 of TP",  # inside a figure
    ):
        assert words in text, words
    assert "Contents" not in text and "<script>console.log('in')" in text
