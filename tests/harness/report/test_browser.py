"""The report in a real browser: opened from a file, without a network, by mouse or keyboard, on any
screen.

`tox run -e browser` runs these and fails where a part is missing; elsewhere they are skipped with
the reason. NTK_CLAIMS_CHROMIUM names the browser, if it is not on the PATH; NTK_CLAIMS_SCREENSHOTS
names a folder that keeps what was seen.
"""

import importlib.util
import json
import os
import shutil
from copy import deepcopy
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from harness import report
from harness.report import diff_text, history_page
from harness.report.diff import compare
from harness.report.history import collect
from harness.report.runs import read

REQUIRED = os.environ.get("NTK_CLAIMS_BROWSER") == "required"
CHROMIUM = (
    os.environ.get("NTK_CLAIMS_CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
)
RECORDED = Path(__file__).parents[3] / "reports/recorded/quick"
SCREENS = {"desk": (1280, 900), "tablet": (768, 1024), "phone": (390, 844)}


def missing():
    for package in ("playwright", "axe_playwright_python"):
        if importlib.util.find_spec(package) is None:
            return (
                f"The package {package} is not installed; `tox run -e browser` has it."
            )
    if CHROMIUM is None:
        return (
            "No Chromium on the PATH: install it (Debian: apt install chromium), "
            "or name it by NTK_CLAIMS_CHROMIUM."
        )
    return ""


@pytest.fixture(scope="module")
def browser():
    if reason := missing():
        (pytest.fail if REQUIRED else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    # A container's only user is often root, for whom Chromium has no sandbox.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


def nights(folder, document):
    """Folders of three runs of a document, a night apart; in the last a verdict, an effect and a
    version are others.
    """
    folders = []
    for number in range(3):
        later = deepcopy(json.loads(report.as_text(document)))
        if number == 2:
            later["claims"][0]["verdict"]["kind"] = "INCONCLUSIVE"
            later["claims"][0]["hypotheses"][0]["verdict"]["backends"]["jax"][
                "mean"
            ] += 5.0
            next(iter(later["environment"].values()))["python"] = "3.13.1"
        finished = (datetime(2026, 11, 1, 2, 30) + timedelta(days=number)).isoformat()
        folders.append(folder / f"night-{number}")
        folders[-1].mkdir(parents=True)
        for name, content in (("verdicts", later), ("run", {"finished": finished})):
            (folders[-1] / f"{name}.json").write_text(
                json.dumps(content), encoding="utf-8"
            )
    return folders


TITLES = {
    "diff": "1 of 6 verdicts changed: two runs of ntk-claims",
    "history": "History of the verdicts: 3 runs of ntk-claims",
    "hostile diff": "1 of 1 verdicts changed: two runs of ntk-claims",
    "hostile history": "History of the verdicts: 3 runs of ntk-claims",
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory, document, build_run, hostile_document, hostile_run):
    """Name -> path of a page: of an ordinary run, one whose every text is hostile, the recorded
    one, and of several.
    """
    folder = tmp_path_factory.mktemp("pages")
    ordinary, hostile = (
        nights(folder / name, of)
        for name, of in (("o", document), ("h", hostile_document))
    )
    texts = {
        "ordinary": report.render(document, build_run()),
        "hostile": report.render(hostile_document, hostile_run),
        "recorded": report.render(*report.load(RECORDED)),
        "diff": diff_text.as_page(compare(read(ordinary[0]), read(ordinary[-1]))),
        "history": history_page.as_page(collect(ordinary)),
        "hostile diff": diff_text.as_page(compare(read(hostile[0]), read(hostile[-1]))),
        "hostile history": history_page.as_page(collect(hostile)),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture
def visit(browser):
    """Open a page from a file, with the network off; what it asked for and said is kept as its
    `heard`.
    """
    contexts = []

    def opened(path, screen="desk", **options):
        width, height = SCREENS[screen]
        context = browser.new_context(
            viewport={"width": width, "height": height}, offline=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.heard = {"asked": [], "said": [], "asked user": []}
        context.route(
            "**/*",
            lambda route: (
                route.continue_()
                if route.request.url.startswith("file:")
                else route.abort()
            ),
        )
        page.on("request", lambda request: page.heard["asked"].append(request.url))
        page.on("console", lambda message: page.heard["said"].append(message.text))
        page.on("pageerror", lambda error: page.heard["said"].append(str(error)))
        page.on(
            "dialog",
            lambda dialog: (
                page.heard["asked user"].append(dialog.message),
                dialog.dismiss(),
            ),
        )
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()


NAMES = ["ordinary", "hostile", "recorded", *TITLES]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_needs_nothing_but_itself_and_says_nothing(visit, pages, name):
    page = visit(pages[name])
    outside = [url for url in page.heard["asked"] if not url.startswith("data:,")]
    assert page.heard | {"asked": outside} == {
        "asked": [pages[name].as_uri()],
        "said": [],
        "asked user": [],
    }
    assert page.title() == TITLES.get(
        name, "Verdicts on claims about the Neural Tangent Kernel, at quick scale"
    )
    assert pages[name].stat().st_size < 1_000_000


def test_the_policy_blocks_a_script_that_got_in(visit, pages, tmp_path):
    """Escaping is the first lock; this is the second."""
    stolen = (
        "<script>document.title = 1</script>"
        '<img src=x onerror="document.title = 1"><style>body{}</style>'
    )
    broken = tmp_path / "broken.html"
    broken.write_text(
        pages["ordinary"].read_text("utf-8").replace("</footer>", f"{stolen}</footer>"),
        encoding="utf-8",
    )
    page = visit(broken)
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), "
        "{text: 'document.title = 1'}))"
    )
    assert page.title().startswith("Verdicts on claims")
    assert sum("Content Security Policy" in said for said in page.heard["said"]) >= 4


SEEN = [
    (name, screen, scheme)
    for name in ("ordinary", "diff", "history")
    for screen in ("desk", "phone")
    for scheme in ("light", "dark")
]
ONCE = [("hostile", "desk", "dark"), ("recorded", "desk", "light")]


def violations(found):
    return [
        (rule["id"], [node["target"] for node in rule["nodes"]])
        for rule in found["violations"]
    ]


@pytest.mark.parametrize(("name", "screen", "scheme"), [*SEEN, *ONCE])
def test_axe_finds_no_barrier(visit, pages, name, screen, scheme):
    page = visit(pages[name], screen, color_scheme=scheme, bypass_csp=True)
    page.add_script_tag(path=str(files("axe_playwright_python") / "axe.min.js"))
    folded = name == "recorded"
    # the contrast of every one of its thousands of folded cells takes axe minutes; the ordinary run
    # has it
    if folded:
        assert (
            violations(
                page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            )
            == []
        )
    unfold(page)
    rules = {"color-contrast": {"enabled": not folded}}
    found = page.evaluate(
        "rules => axe.run(document, {resultTypes: ['violations'], rules})", rules
    )
    assert violations(found) == []
    assert len(found["passes"]) > 20


def unfold(page):
    page.evaluate(
        "document.querySelectorAll('details').forEach(part => part.open = true)"
    )


def focused(page):
    return page.evaluate("document.activeElement.getAttribute('href') || ''")


def test_the_keyboard_reaches_every_claim(visit, pages, document):
    page = visit(pages["ordinary"])
    sections = page.locator(".claim-section").evaluate_all(
        "found => found.map(section => '#' + section.id)"
    )
    page.keyboard.press("Tab")
    assert focused(page) == "#verdicts"  # the first stop leaps over the header
    reached = set()
    for _ in range(200):
        page.keyboard.press("Tab")
        if (link := focused(page)) in sections and link not in reached:
            reached.add(link)
            page.keyboard.press("Enter")
            assert page.evaluate("location.hash") == link
            assert (
                page.locator(link).locator("h2").bounding_box()["y"]
                < SCREENS["desk"][1] / 2
            )
            page.go_back()
            page.locator(f"a[href='{link}']").first.focus()
        if len(reached) == len(sections):
            break
    assert reached == set(sections)
    assert len(reached) == len(document["claims"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("screen", SCREENS)
def test_no_page_is_wider_than_the_screen(visit, pages, name, screen):
    page = visit(pages[name], screen)
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == SCREENS[screen][0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_the_first_screen_tells_what_holds_at_which_scale(visit, pages, screen, scheme):
    page = visit(pages["recorded"], screen, color_scheme=scheme)
    if folder := os.environ.get("NTK_CLAIMS_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"report-{screen}-{scheme}.png")
    height = SCREENS[screen][1]
    for part in (".identity", ".counts"):
        box = page.locator(part).first.bounding_box()
        assert box["y"] + box["height"] <= height
    assert "Quick scale" in page.locator(".identity").first.inner_text()


def test_the_first_screen_of_a_desk_shows_every_claim(visit, pages):
    page = visit(pages["recorded"])
    rows = page.locator(".overview tbody tr").all()
    assert len(rows) >= 17
    boxes = [row.bounding_box() for row in rows]
    assert max(box["y"] + box["height"] for box in boxes) <= SCREENS["desk"][1]
    values = page.locator(".overview td.needs .value").all()
    assert all(value.is_visible() for value in values)


def test_a_bar_leads_back_from_the_middle_of_a_claim(visit, pages):
    page = visit(pages["recorded"])
    page.goto(f"{pages['recorded'].as_uri()}#c3h4")
    bar = page.locator(".claim-section").nth(2).locator(".bar")
    assert bar.bounding_box()["y"] == pytest.approx(0, abs=2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_ticks_below_each_row_of_the_forest(visit, pages, scheme):
    """The head of the table, which has them on a desk, is not shown there."""
    page = visit(pages["ordinary"], "phone", color_scheme=scheme)
    cells = page.locator("td.forest:has(svg[role=img])")
    zeros = cells.locator(".ticks")
    assert zeros.count() == cells.count() == 5
    assert all(tick.bounding_box()["height"] >= 12 for tick in zeros.all())
    strip = cells.first.locator("svg[role=img]").first
    assert zeros.first.bounding_box()["x"] == pytest.approx(
        strip.bounding_box()["x"], abs=0.6
    )
    assert not visit(pages["ordinary"]).locator(".ticks").first.is_visible()


@pytest.mark.parametrize("name", ["diff", "history", "hostile history"])
def test_on_a_phone_no_verdict_lies_beyond_the_screen(visit, pages, name):
    page = visit(pages[name], "phone")
    table = page.locator("#verdicts-table").locator("xpath=ancestor::div")
    assert table.evaluate("part => part.scrollWidth - part.clientWidth") == 0
    kinds = table.locator(".kind").all()
    assert kinds
    assert all(
        box["x"] + box["width"] <= SCREENS["phone"][0]
        for box in (kind.bounding_box() for kind in kinds)
    )
    names = table.locator("td").first.evaluate(
        "cell => getComputedStyle(cell, '::before').content"
    )
    assert names.startswith('"State' if name == "diff" else '"Tier')


def test_the_margin_of_the_forest_stands_where_the_rows_have_it(visit, pages):
    """The style sheet draws the line, Python the effects; both must mean the same place."""
    page = visit(pages["ordinary"])
    cell, strip = page.locator("td.forest").first, page.locator("td.forest svg").first
    assert cell.bounding_box()["x"] == pytest.approx(strip.bounding_box()["x"], abs=0.6)
    zero = page.locator("th.forest text").nth(3)
    assert zero.text_content() == "0"
    middle = zero.bounding_box()["x"] + zero.bounding_box()["width"] / 2
    assert middle - cell.bounding_box()["x"] == pytest.approx(86.5, abs=1.5)
    assert "86px" in cell.evaluate("cell => getComputedStyle(cell).backgroundImage")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_picture_has_the_colours_of_the_page(visit, pages, scheme):
    """Axe does not look at the contrast of what is drawn: ink and marks must change with the page,
    everywhere.
    """
    page = visit(pages["ordinary"], color_scheme=scheme)
    paints = page.locator(
        "svg[role=img] [fill='#59636e'], svg[role=img] [fill='#0072b2']"
    ).evaluate_all("found => found.map(part => getComputedStyle(part).fill)")
    light, dark = (
        {"rgb(89, 99, 110)", "rgb(0, 114, 178)"},
        {"rgb(160, 168, 178)", "rgb(93, 179, 232)"},
    )
    assert len(paints) > 12
    assert set(paints) == (dark if scheme == "dark" else light)


def test_what_is_folded_is_printed(visit, pages):
    page = visit(pages["ordinary"])
    table = page.locator("details table").first
    assert not table.is_visible()
    page.emulate_media(media="print")
    assert table.bounding_box()["height"] > 20
