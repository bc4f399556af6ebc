"""`ntk-claims history`: many runs over time on one page."""

import json
import re
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import altair
import pytest

from harness import report
from harness.cli import main
from harness.report import history_page
from harness.report.history import collect
from harness.report.history_page import as_page

FIRST = datetime(2026, 11, 1, 2, 30, tzinfo=UTC)


@pytest.fixture
def nights(tmp_path, build_document, build_run):
    """Writes runs, a night apart, each document changed by its function; their folders.

    One claim, to be fast.
    """
    one = json.loads(report.as_text(build_document()))
    one["claims"] = one["claims"][:1]

    def write(*changes):
        folders = []
        for night, change in enumerate(changes):
            document, run = deepcopy(one), build_run()
            change(document)
            run["finished"] = (FIRST + timedelta(days=night)).isoformat()
            folder = tmp_path / f"night-{night}"
            folder.mkdir()
            (folder / "verdicts.json").write_text(
                json.dumps(document), encoding="utf-8"
            )
            (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
            folders.append(folder)
        return folders

    return write


def same(document):
    """A night on which nothing changed."""


def refuted(document):
    document["claims"][0]["verdict"]["kind"] = "REFUTED"


def upgraded(document):
    document["environment"]["torch"]["torch"] = "2.14.0"


def reregistered(document):
    upgraded(document)
    document["claims"][0]["registration"] = "f" * 64


def test_changes_of_verdict_versions_and_registration_are_marked(nights):
    (timeline,) = collect(
        nights(same, refuted, refuted, upgraded, reregistered)
    ).timelines
    assert [
        (event.when.day, event.mark, event.words.split(" became ")[-1])
        for event in timeline.events
    ] == [
        (2, "1", "REFUTED"),
        (4, "2", "SUPPORTED"),
        (4, "a", "2.14.0"),
        (5, "b", "ffffffffffff"),
    ]
    assert timeline.events[0].words == "SUPPORTED became REFUTED"
    assert timeline.events[2].words == "torch: torch 2.13.0 became 2.14.0"
    assert [timeline.marks(point.when) for point in timeline.points] == [
        "",
        "1",
        "",
        "2, a",
        "b",
    ]


def test_runs_are_in_the_order_of_their_dates_not_of_the_call(nights):
    folders = nights(same, refuted)
    history = collect([*reversed(folders), folders[0]])
    assert [run.path.parent for run in history.runs] == folders
    assert history.timelines[0].latest.kind == "REFUTED"


def test_tiers_are_kept_apart(nights):
    def full(document):
        refuted(document)
        document["tier"] = "full"

    timelines = collect(nights(same, full, same)).timelines
    assert [
        (timeline.tier, len(timeline.points), timeline.events) for timeline in timelines
    ] == [
        ("quick", 2, ()),
        ("full", 1, ()),
    ]


def test_a_claim_may_be_missing_in_a_run(nights):
    history = collect(
        nights(same, lambda document: document["claims"].clear(), refuted)
    )
    (timeline,) = history.timelines
    assert len(timeline.points) == 2
    assert [event.words for event in timeline.events] == ["SUPPORTED became REFUTED"]


def version_2(document):
    document["version"] = 2
    del document["claims"][0]["verdict"]["beside"]


def test_runs_of_the_version_before_belong_to_the_history(nights):
    history = collect(nights(version_2, same, refuted))
    assert history.unreadable == ()
    assert [event.words for event in history.timelines[0].events] == [
        "SUPPORTED became REFUTED"
    ]


def test_the_command_says_what_changed_and_what_it_left_out(nights, tmp_path, capsys):
    folders = nights(same, same, refuted, same)
    (folders[1] / "verdicts.json").write_text('{"version": 1}')
    (folders[3] / "run.json").unlink()
    page = tmp_path / "history.html"
    assert main(["history", *map(str, folders), "--html", str(page)]) == 0
    out, err = capsys.readouterr()
    assert out == (
        "2026-11-03 02:30  vyas2022/network-outscales-its-kernels (quick): SUPPORTED became "
        "REFUTED\n"
        f"2 runs, 2 left out: {page}\n"
    )
    assert re.search(
        r"^Left out: .*night-1/verdicts.json has version 1 of the format",
        err,
        re.MULTILINE,
    )
    assert re.search(
        r"^Left out: .*night-3/run.json does not say when this run finished\.$",
        err,
        re.MULTILINE,
    )
    text = page.read_text(encoding="utf-8")
    assert '<h2 id="unreadable-title">2 unreadable runs, left out</h2>' in text
    assert text.count("night-1") == 2


def test_no_readable_run_is_a_bad_call(tmp_path, capsys):
    assert (
        main(
            [
                "history",
                str(tmp_path / "none"),
                "--html",
                str(tmp_path / "history.html"),
            ]
        )
        == 2
    )
    error = capsys.readouterr().err
    assert error.startswith("ntk-claims: None of 1 runs can be read. The first: ")
    assert not (tmp_path / "history.html").exists()


def pictures(page):
    return [
        ElementTree.fromstring(text)
        for text in re.findall(r'<svg role="img".*?</svg>', page, re.DOTALL)
    ]


def test_each_primary_effect_is_a_figure_with_title_words_and_table(nights):
    history = collect(nights(same, refuted, upgraded))
    page = as_page(history)
    (timeline,) = history.timelines
    assert len(pictures(page)) == len(timeline.primary) > 0
    for picture, finding in zip(pictures(page), timeline.primary, strict=True):
        assert picture.find("title").text == f"{finding.label} over time"
        words = picture.find("desc").text
        assert words.startswith(
            "3 runs from 2026-11-01 to 2026-11-03, 6 intervals. Newest: torch: "
        )
        assert words.endswith(f"Dashed: what the newest rule {finding.needs}.")
        drawn = [text.text for text in picture.iter("text")]
        assert [drawn.count(mark) for mark in ("1", "2", "a")] == [1, 1, 1]
        assert {"torch", "jax"} <= set(drawn)
        assert page.count(finding.shown("torch")) >= 3  # the table has every run


def test_a_point_is_where_its_number_is(nights):
    """Higher effects are drawn higher, later runs further right, and the means lie inside their
    intervals.
    """

    def higher(document):
        for hypothesis in document["claims"][0]["hypotheses"]:
            for values in hypothesis["verdict"]["backends"].values():
                for end in ("mean", "low", "high"):
                    values[end] += 1.0

    (picture, *_) = pictures(as_page(collect(nights(same, higher))))
    (path,) = [
        part.get("d")
        for part in picture.iter("path")
        if part.get("fill") == "#0072b2" and "m" in part.get("d")
    ]
    points = [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)m", path)]
    assert len(points) == 2
    early, late = points
    assert late[0] > early[0]
    assert late[1] < early[1]


@pytest.mark.parametrize(
    ("nights_apart", "first"),
    [
        (0.1, "1 Nov 03:00"),
        (1, "1 Nov"),
        (4, "1 Nov"),
        (50, "Dec 2026"),
        (400, "Jan 2028"),
    ],
)
def test_ticks_are_few_and_have_different_dates(nights, nights_apart, first):
    folders = nights(same, same, same)
    for night, folder in enumerate(folders):
        when = FIRST + timedelta(days=night * nights_apart)
        (folder / "run.json").write_text(json.dumps({"finished": when.isoformat()}))
    (picture, *_) = pictures(as_page(collect(folders)))
    dates = [
        text.text
        for text in picture.iter("text")
        if re.search("[A-Z][a-z]{2}", text.text)
    ]
    assert len(set(dates)) == len(dates)
    assert 2 <= len(dates) <= 7
    assert first in dates


@pytest.mark.parametrize("nights_apart", [0.1, 1, 40])
def test_a_timeline_is_what_vega_lite_asks_for(nights, monkeypatch, nights_apart):
    monkeypatch.setattr(
        history_page, "draw", lambda specification, *_: json.dumps(specification)
    )
    folders = nights(same, upgraded, refuted)
    for number, folder in enumerate(folders):
        run = json.loads((folder / "run.json").read_text())
        run["finished"] = (FIRST + timedelta(days=number * nights_apart)).isoformat()
        (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    (timeline,) = collect(folders).timelines
    specification = json.loads(
        history_page.timeline_svg(timeline, timeline.primary[0], "one")
    )
    altair.LayerChart.from_dict(specification)  # raises SchemaValidationError


@pytest.mark.parametrize("scale", ["linear", "ratio"])
def test_what_is_not_finite_is_not_drawn_and_stands_in_the_table(nights, scale):
    def diverged(document):
        for hypothesis in document["claims"][0]["hypotheses"]:
            hypothesis["scale"] = scale
            hypothesis["verdict"]["backends"]["torch"].update(
                mean=None, low=None, high=None
            )
            hypothesis["verdict"]["backends"]["jax"].update(
                mean=900.0, low=800.0, high=1000.0
            )

    page = as_page(collect(nights(diverged)))
    drawn = {"linear": "1 intervals", "ratio": "0 intervals"}[scale]
    assert all(drawn in picture.find("desc").text for picture in pictures(page))
    assert "– [–, –]" in page


def test_the_page_is_the_same_bytes_and_runs_nothing(nights):
    folders = nights(same, refuted)
    page = as_page(collect(folders))
    assert page == as_page(collect(folders))
    assert "<script" not in page
    assert "default-src 'none'" in page.replace("&#39;", "'")
    assert page.count('id="') == len(set(re.findall(r'id="([^"]*)"', page)))


def test_nothing_that_a_run_says_is_markup(nights, hostile_document):
    page = as_page(
        collect(
            nights(
                lambda document: document.update(deepcopy(dict(hostile_document))), same
            )
        )
    )
    assert "alert(1)" in page
    assert not re.search("<(script|img)", page)
    assert page.count("</style>") == 1


def test_help_shows_how(capsys):
    with pytest.raises(SystemExit):
        main(["history", "--help"])
    assert (
        "Example: ntk-claims history nightly/* --html history.html"
        in capsys.readouterr().out
    )
