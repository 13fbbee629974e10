"""The report as Markdown, HTML and JSON: the same numbers, and names that stay names."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from iacfilter_hpc.comparison.compare import Comparison, Entry
from iacfilter_hpc.comparison.document import document
from iacfilter_hpc.comparison.figures import (
    LONGEST,
    calibration,
    f1_by_smell,
    f1_by_technology,
    f1_overall,
    precision_recall,
    styles,
)
from iacfilter_hpc.comparison.html import render_html
from iacfilter_hpc.comparison.markdown import render_markdown
from iacfilter_hpc.comparison.sentences import conclusions
from iacfilter_hpc.comparison.statistics import measure
from iacfilter_hpc.comparison.systems import Protocol, System, SystemKind
from iacfilter_hpc.comparison.tables import all_tables
from tests.comparison.made_data import made_comparison, made_system

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=http://evil.example/x onerror=alert(1)>',
    "`$x$` | *b* _i_ [l](http://evil.example) # h",
    "${{7*7}} {{ 7*7 }} {% x %} \\alpha &amp;",
)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return made_comparison(tmp_path_factory.mktemp("plain"))


class Page(HTMLParser):
    """What a browser would make of a page: its tags, their attributes, its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_every_number_is_in_every_form(done: Comparison) -> None:
    page, markdown = Page(render_html(done)), render_markdown(done)
    values = document(done)
    for system, entry in zip(values["systems"], done.entries, strict=True):
        f1 = system["overall"]["f1"]
        assert f1["mean"] == entry.breakdown.overall.first["f1"]
        shown = f"{f1['mean']:.3f}"
        ends = f"{f1['interval']['low']:.3f} to {f1['interval']['high']:.3f}"
        assert f"{shown} {ends}" in page.text
        assert f"{shown} ({ends})" in markdown
    for pair in values["pairs"]:
        row = f"{pair['first']} {pair['second']} {pair['first_only']} {pair['second_only']} "
        assert row in page.text
    for sentence in conclusions(done):
        assert sentence in page.text and sentence in values["conclusions"]
    assert done.data.sha256 in page.text and done.data.sha256 in markdown
    assert values["left_out"] == list(done.left_out)
    assert f"Left out: {done.left_out[0]}." in page.text
    assert "Left out: TF-IDF + LR" in markdown
    json.dumps(values, allow_nan=False)


def test_the_page_needs_nothing_else(done: Comparison) -> None:
    text = render_html(done)
    page = Page(text)
    assert not {"script", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not [a for a in page.attributes if a[1].startswith("on")]
    addresses = [value for _, name, value in page.attributes if name in ("src", "href", "srcset")]
    assert len(addresses) > 10
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"@import|url\(", text)
    targets = {value for _, name, value in page.attributes if name == "id"}
    assert {a[1:] for a in addresses if a.startswith("#")} <= targets


def test_the_page_can_be_read_without_seeing_it(done: Comparison) -> None:
    page = Page(render_html(done))
    alt = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert len(alt) == page.tags.count("img") == 5 and all(len(text) > 40 for text in alt)
    assert page.tags.count("caption") == page.tags.count("table")
    scopes = [value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")]
    assert len(scopes) == page.tags.count("th") and set(scopes) == {"col", "row"}
    assert [tag for tag in page.tags if tag == "h1"] == ["h1"]
    assert ("html", "lang", "en") in page.attributes


def test_it_is_the_same_every_time(done: Comparison) -> None:
    assert render_html(done) == render_html(done)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(done: Comparison, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "a <b>folder</b>"
    folder.mkdir(parents=True)
    hostile = made_comparison(folder, name, "_leading", draws=100)
    page = Page(render_html(hostile))
    assert page.tags == Page(render_html(done)).tags, "no name makes an element"
    assert {a[1] for a in page.attributes} == {a[1] for a in Page(render_html(done)).attributes}
    assert " ".join(name.split()) in page.text
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(render_markdown(hostile))
    made = [part for token in tokens for part in (token.children or [])]
    assert {part.type for part in made} <= {"text", "text_special", "code_inline"}
    assert "html_block" not in {token.type for token in tokens}
    texts = ["".join(part.content for part in token.children or []) for token in tokens]
    assert " ".join(name.split()) in texts


def test_names_of_any_kind_can_be_drawn(done: Comparison) -> None:
    for name in (*HOSTILE, "_private", "名前", "\u202eright", "x" * 60):
        entry = done.entries[0]
        system = replace(entry.system, name=name)
        named = replace(done, entries=(replace(entry, system=system), *done.entries[1:]))
        drawn = [
            precision_recall(named),
            f1_overall(named),
            f1_by_smell(named),
            f1_by_technology(named),
            *calibration(named),
        ]
        for picture in drawn:
            assert "<script" not in picture.svg and "<img" not in picture.svg
            texts = re.findall(r"<text[^>]*>([^<]*)</text>", picture.svg)
            wanted = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
            escaped = wanted.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            assert any(escaped in text for text in texts), (name, texts)
            assert name in picture.alt


def test_what_is_cross_fit_says_so_everywhere(done: Comparison) -> None:
    entry = done.entries[0]
    system = replace(entry.system, protocol=Protocol.CROSS_FIT)
    marked = replace(done, entries=(replace(entry, system=system), *done.entries[1:]))
    page = Page(render_html(marked))
    for table in all_tables(marked):
        if table.name in ("overall", "ranking", "by-smell", "by-technology", "origins"):
            row = next(row for row in table.rows if row[0].text.startswith("good"))
            assert any("cross-fit" in cell.text for cell in row), table.name
    alts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert all("good (cross-fit" in text for text in alts)
    assert document(marked)["systems"][0]["protocol"] == "cross-fit"
    assert "good (cross-fit)" in render_markdown(marked)


def test_warnings_stand_above_all_else(done: Comparison) -> None:
    warned = replace(done, warnings=("mine: 3 of 60 samples are known",))
    text, markdown = Page(render_html(warned)).text, render_markdown(warned)
    assert text.index("3 of 60 samples are known") < text.index("What these data can tell")
    assert markdown.index("WARNING: mine: 3 of 60") < markdown.index("## ")
    assert "Before you believe" not in render_html(done)


def test_seeds_are_in_a_table_of_their_own(done: Comparison) -> None:
    system = made_system("mine", done.data.samples, 3, 4)
    entry = Entry(system, measure(system, done.data.samples, 100, 0))
    several = replace(done, entries=(entry, *done.entries))
    (table,) = [table for table in all_tables(several) if table.name == "members"]
    assert [(row[0].text, row[1].text, row[2].text) for row in table.rows] == [
        ("mine", "seed-3", "3"),
        ("mine", "seed-4", "4"),
    ]
    assert "members" not in {table.name for table in all_tables(done)}
    page = Page(render_html(several))
    assert "mine (2 seeds): seed 3" in page.text
    assert "±" in page.text and "±" in render_markdown(several)


def test_baselines_are_grey_and_the_others_differ() -> None:
    systems = [System(str(i), SystemKind.PREDICTIONS, Protocol.EXTERNAL, ()) for i in range(12)]
    looks = styles([*systems, System("keep all", SystemKind.BASELINE, Protocol.HELD_OUT, ())])
    assert len(set(looks)) == 13
    assert looks[-1].colour not in {look.colour for look in looks[:-1]}
