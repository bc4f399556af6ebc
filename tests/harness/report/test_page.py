"""The page: self-contained, readable by everyone, complete, and deaf to what texts would make it
do.
"""

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from harness import report
from harness.verdict import Kind


class Page(HTMLParser):
    """The elements of a page in order, each with its attributes and the text directly inside; text
    outside of any.
    """

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))
        self.open.append(self.elements[-1])

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        for element in self.open:
            element[2].append(data)

    def all(self, *tags):
        return [
            (tag, attributes, "".join(text))
            for tag, attributes, text in self.elements
            if tag in tags
        ]

    def attribute(self, name):
        return [
            attributes[name] for _, attributes, _ in self.elements if name in attributes
        ]


@pytest.fixture(scope="module")
def text(document, build_run):
    return report.render(document, build_run())


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_runs_and_loads_nothing(page, text):
    assert not page.all("script", "iframe", "object", "embed", "form", "img", "base")
    assert not page.attribute("style")
    assert not [
        name
        for _, attributes, _ in page.elements
        for name in attributes
        if name.startswith("on")
    ]
    assert all(link.startswith(("#", "data:,")) for link in page.attribute("href"))
    assert not page.attribute("src")
    assert not re.search(r"url\(|@import|https?://", text)
    assert len(text.encode()) < 2_000_000


def test_the_policy_allows_the_one_style_sheet_by_its_hash(page):
    ((_, _, style),) = page.all("style")
    (policy,) = [
        a["content"]
        for _, a, _ in page.all("meta")
        if a.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;"
    )


def test_ids_are_unique_and_every_reference_leads_somewhere(page):
    ids = Counter(page.attribute("id"))
    assert not [name for name, times in ids.items() if times > 1]
    wanted = {link[1:] for link in page.attribute("href") if link.startswith("#")}
    wanted |= {
        name for names in page.attribute("aria-labelledby") for name in names.split()
    }
    assert wanted <= ids.keys()


def test_headings_come_in_order(page):
    levels = [int(tag[1]) for tag, _, _ in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_can_be_read_aloud(page):
    tables, captions = page.all("table"), page.all("caption")
    assert len(tables) == len(captions)
    assert all(caption.strip() for _, _, caption in captions)
    assert all("scope" in attributes for _, attributes, _ in page.all("th"))


def test_each_picture_has_a_title_and_a_description(page):
    pictures = [a for _, a, _ in page.all("svg") if a.get("role") == "img"]
    others = [a for _, a, _ in page.all("svg") if a.get("role") != "img"]
    forest = 1 + 5  # its axis; what decided five claims
    assert len(pictures) == 3 + forest
    assert all(
        len(attributes["aria-labelledby"].split()) == 2 for attributes in pictures
    )
    assert all(attributes["aria-hidden"] == "true" for attributes in others)


def told(page, claim, tag="div", of="outcome"):
    """What a part of the claim's section says, without markup."""
    sections = [
        Page(text)
        for text in re.findall(
            r'<section class="claim-section".*?</section>', page, re.DOTALL
        )
    ]
    found = [
        " ".join(text.split())
        for _, a, text in sections[claim].all(tag)
        if of in a.get("class", "").split()
    ]
    return found[0]


def test_the_box_of_a_claim_says_what_decided_and_what_goes_with_it(text):
    supported, refuted = told(text, 0), told(text, 1)
    assert supported.startswith("SUPPORTED exponent beats NTK: 0.156 [")
    assert "(90 % interval; needs > 0.05). Both primary effects hold." in (supported)
    assert "But: Tests the mechanism on a proxy data set" in supported
    assert (
        "Secondary effects: 1 for the title, 0 against, 0 open · 12 seeds" in supported
    )
    assert supported.endswith(
        "at quick scale: n up to 1024; the paper goes further. · as recorded"
    )
    assert refuted.startswith("REFUTED exponent beats")
    assert "Refuted with p " in refuted


def test_a_claim_says_how_it_is_run_again(text):
    assert told(text, 0, "p", "again").endswith(
        "This claim alone: pytest claims/vyas2022/test_network-outscales-its-kernels.py "
        "--tier quick --backend torch,jax"
    )


def test_a_bar_leads_back_and_to_the_neighbours(page):
    bars = [a for _, a, _ in page.all("nav")]
    assert len(bars) == 6
    links = [a["href"] for _, a, text in page.all("a") if text in ("Previous", "Next")]
    assert len(links) == 2 * 5
    assert page.attribute("href").count("#verdicts") == 1 + 6


@pytest.mark.parametrize("kind", Kind)
def test_a_verdict_is_told_by_shape_word_and_colour(page, kind):
    told = {
        (a["class"], text)
        for _, a, text in page.all("span")
        if "pill" in a.get("class", "").split()
    }
    words = {"DISAGREE": "AGREEMENT NOT SHOWN", "INCONCLUSIVE": "NOT DECIDED"}
    assert (f"kind {kind} pill", words.get(kind, kind.replace("_", " "))) in told
    assert f"shape-{kind}" in page.attribute("id")
    assert f"#shape-{kind}" in page.attribute("href")
    ((_, _, style),) = page.all("style")
    assert f".{kind} {{ --tone:" in style


def test_the_first_table_has_each_claim_with_what_decided_and_its_but(page):
    rows = [text for _, a, text in page.all("tr") if a.get("role") == "row"][1:]
    rows = [" ".join(row.split()) for row in rows]
    heads = ("Broken: 1", "Does not hold: 1", "Undecided: 2", "Not run: 1", "Holds: 1")
    assert [row for row in rows if row.startswith(heads)] == [
        "Broken: 1 the check cannot be trusted",
        "Does not hold: 1 REFUTED",
        "Undecided: 2 no evidence against the claim",
        "Not run: 1 nothing was measured",
        "Holds: 1 SUPPORTED",
    ]
    assert len(rows) == 6 + 5
    (supported,) = [row for row in rows if row.startswith("Networks gain")]
    assert "exponent beats NTK 0.156 [0.1" in supported
    assert "needs > 0.05" in supported
    assert "12 abstract before" in supported
    assert supported.endswith(
        "1/0/0 Tests the mechanism on a proxy data set, not the paper's data."
    )
    (disagree,) = [row for row in rows if "changed: recorded as SUPPORTED" in row]
    assert "Agreement not shown." in disagree
    (missing,) = [row for row in rows if "Nothing measured" in row]
    assert "Nothing measured: 3 of 24 cells ran out of memory (jax)." in missing


@pytest.mark.parametrize(
    "fact",
    [
        "Half of the spread between seeds of one arm",  # why the margin
        "0.18 (0.08)> 0.99",  # registered effect, its sd, and the power there
        "0.049, 0.99",  # simulated, at the margin and at the registered effect
        "differ: −0.2 (±0.025)",  # agreement of the backends
        "fails in jax: seed 3: weights are NaN from step 210 on",  # a gate, in one backend
        "Synthetic curves with exponents 0.6 and 0.3.",  # a control
        "2026-11-01, registered before any result was seen: Registered before the first run.",
        "2026-11-02, amended after results had been seen: After a pilot.",
        "n up to 1024; the paper goes further.",
        "p\xa0=\xa00.002 after correcting for the paper’s claims",
        "The paper’s number: Table 2 (read). In torch: Published 0.2, here ",
        "24 cells (10 computed in this run), 8 min 32 s of worker time. This claim alone: ",
        "Registration: before; 1 amendment, 1 after results had been seen",
        "60 computed in this run, 84 cached (taken from the store), 3 failed",
        "float32",
        "worker-7",
        "8 min 3 s",
    ],
)
def test_behind_the_verdicts_stands(page, fact):
    ((_, _, body),) = page.all("body")
    assert fact in body.replace("\n", "")


def test_the_registration_digest_is_printed(page, document):
    assert {claim["registration"] for claim in document["claims"]} <= {
        text for _, _, text in page.all("code")
    }


def test_a_failed_control_is_shown_as_failed(page, document):
    broken = document["claims"][-1]
    assert [control["passed"] for control in broken["controls"]] == [True, False]
    sections = [
        text
        for _, a, text in page.all("section")
        if a.get("aria-labelledby") == "c6-title"
    ]
    assert sections[0].count("failed") >= 1


CODE = (
    """</title></style></script><script>alert(1)</script><img src=x onerror="alert(2)">"""
    """'"{{ 7*7 }}`]]>\x1b\x00--><b>&amp;"""
)
# whose keys are names, and
NAMED = {"backends", "failures", "held_against", "shapes", "platform", "claims"}
NAMED_TWICE = {"effects", "environment"}  # whose keys' keys are names too
MEANT = {
    *Kind,
    "primary",
    "secondary",
    "Superiority",
    "Equivalence",
    "linear",
    "ratio",
    "not SUPPORTED",
}


def poisoned(value, names=0):
    """Every text of a file, and every key that is a name, followed by code."""
    if isinstance(value, dict):
        deep = {key: 2 if key in NAMED_TWICE else int(key in NAMED) for key in value}
        return {
            f"{key}{CODE}" if names else key: poisoned(part, max(names - 1, deep[key]))
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [poisoned(part) for part in value]
    return f"{value}{CODE}" if isinstance(value, str) and value not in MEANT else value


def assert_harmless(text, page):
    """Nothing but what an ordinary page has, and every picture well-formed on its own."""
    hostile = Page(text)
    # a label that is too long for a line has one more tag, with one more attribute
    assert {tag for tag, _, _ in hostile.elements} - {"tspan"} <= {
        tag for tag, _, _ in page.elements
    }
    assert {name for _, a, _ in hostile.elements for name in a} - {"dy"} <= {
        name for _, a, _ in page.elements for name in a
    }
    assert all(link.startswith(("#", "data:,")) for link in hostile.attribute("href"))
    for picture in re.findall(r'<svg role="img".*?</svg>', text, re.DOTALL):
        ElementTree.fromstring(picture)
    assert "\x1b" not in text
    assert "\x00" not in text


def test_hostile_text_stays_text(hostile_document, hostile_run, page):
    text = report.render(hostile_document, hostile_run)
    assert_harmless(text, page)
    assert text.count("&lt;script&gt;alert(1)") >= 30
    assert "{{ 7*7 }}" in text


def test_a_poisoned_file_stays_text(document, build_run, page):
    """verdicts.json and run.json may have been written by anyone: here every text and name of
    theirs has code in it.
    """
    text = report.render(poisoned(document), poisoned(build_run()))
    assert_harmless(text, page)
    assert text.count("&lt;script&gt;alert(1)") > 400
    assert len(re.findall(r"<desc[^>]*>[^<]*&lt;script&gt;", text)) > 5


@pytest.mark.parametrize("part", ["kind", "role", "scale"])
def test_a_word_of_the_format_may_be_code_too(document, build_run, page, part):
    changed = json.loads(json.dumps(document))
    for claim in changed["claims"]:
        claim["verdict"]["kind"] = CODE if part == "kind" else claim["verdict"]["kind"]
        for hypothesis in claim["hypotheses"]:
            hypothesis |= {part: CODE} if part in hypothesis else {}
    assert_harmless(report.render(changed, build_run()), page)
