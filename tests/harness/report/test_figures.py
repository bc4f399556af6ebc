"""The pictures: what they show, how it is told apart, and that a strict page can hold them."""

import json
import re
from itertools import pairwise
from xml.etree import ElementTree

import altair
import pytest

from harness.report import figures, neighbours
from harness.report.axes import at_places, axis
from harness.report.figures import bands, figure_svg, hidden_points, places
from harness.report.style import COLOURS, MUTED

SUPERIORITY = {
    "kind": "Superiority",
    "margin": 0.05,
    "alpha": 0.05,
    "words": "mean effect > 0.05",
}
EQUIVALENCE = {
    "kind": "Equivalence",
    "margin": 0.1,
    "alpha": 0.05,
    "words": "|mean effect| < 0.1",
}


def figure(*series, **changes):
    names = ("label", "x", "y", "low", "high")
    rows = [dict(zip(names, (*line, None, None)[:5], strict=True)) for line in series]
    plain = {
        "title": "Drift & <change>",
        "description": "Over epochs.",
        "x_label": "epoch",
        "y_label": "distance",
    }
    return {
        **plain,
        "series": rows,
        "log_x": False,
        "log_y": False,
        "reference_y": None,
        **changes,
    }


def parts(svg, tag):
    return list(ElementTree.fromstring(svg).iter(tag))


def lines(svg):
    return [
        part.attrib
        for part in parts(svg, "path")
        if part.attrib.get("stroke-width") == "2" and "stroke" in part.attrib
    ]


def dashed(svg):
    return [
        line
        for line in parts(svg, "line")
        if line.attrib.get("stroke-dasharray") == "3,3"
    ]


def dots(svg):
    """The subpaths of what is filled: points of one look are one path.

    Bands are filled too, and see-through.
    """
    filled = [
        a
        for part in parts(svg, "path")
        if "fill" in (a := part.attrib) and "opacity" not in a
    ]
    return [subpath for a in filled for subpath in a["d"].split("M")[1:]]


def shapes(svg):
    """Of each series in the legend, which comes last and has one point of each."""
    return [
        part.attrib["d"]
        for part in parts(svg, "path")
        if "transform" in part.attrib and "fill" in part.attrib
    ]


def hypothesis(rule, scale="linear", **estimates):
    backends = {
        name: dict(zip(("mean", "low", "high"), values, strict=True))
        for name, values in estimates.items()
    }
    return {
        "name": "gap",
        "rule": rule,
        "scale": scale,
        "verdict": {"backends": backends},
    }


@pytest.mark.parametrize(
    "drawn",
    [
        figure(
            ("torch", [1, 2], [3, 4], [2, 3], [4, 5]),
            ("jax", [1, 2], [3, 4]),
            reference_y=1.0,
            log_y=True,
        ),
        figure(("torch", list(range(1, 20)), [0.1] * 19), log_x=True),
        figure(("torch", ["wide", "narrow"], [3, 4], [2, 3], [4, 5])),
    ],
)
def test_a_chart_is_what_vega_lite_asks_for(monkeypatch, drawn):
    """What draws it passes over a property that it does not know."""
    monkeypatch.setattr(
        figures, "draw", lambda specification, *_: json.dumps(specification)
    )
    # raises SchemaValidationError
    altair.Chart.from_dict(json.loads(figures.figure_svg(drawn, "one")))


def test_a_picture_is_named_and_described_under_its_own_ids():
    svg = figure_svg(figure(("torch", [1, 2], [3, 4])), "one")
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == "one-title one-desc"
    assert [
        (label.tag, label.attrib["id"], label.text) for label in list(root)[:2]
    ] == [
        ("title", "one-title", "Drift & <change>"),
        ("desc", "one-desc", "Over epochs."),
    ]
    assert [part.attrib["id"] for part in root.iter() if "id" in part.attrib] == [
        "one-title",
        "one-desc",
    ]


def test_a_picture_has_nothing_that_a_strict_page_refuses():
    svg = figure_svg(
        figure(("torch", [1, 2], [3, 4], [2, 3], [4, 5]), reference_y=3), "one"
    )
    allowed = {"svg", "title", "desc", "g", "path", "line", "text", "rect"}
    for part in ElementTree.fromstring(svg).iter():
        assert part.tag in allowed
        assert (
            not {"style", "class", "href", "role"} & part.attrib.keys()
            or part.tag == "svg"
        )
    assert "url(" not in svg


def test_the_same_figure_has_the_same_bytes():
    curves = figure(("torch", [1, 2, 3], [3, 4, 5]), ("jax", [1, 2, 3], [3, 4, 6]))
    assert figure_svg(curves, "one") == figure_svg(curves, "one")


def test_series_differ_in_colour_dashes_and_shape():
    svg = figure_svg(
        figure(*((f"series {k}", [1, 2], [k, k + 1]) for k in range(3))), "one"
    )
    drawn = lines(svg)[:3]
    assert [line["stroke"] for line in drawn] == list(COLOURS[:3])
    assert len({line.get("stroke-dasharray") for line in drawn}) == 3
    assert len(set(shapes(svg))) == 3


def test_twenty_series_are_still_told_apart():
    svg = figure_svg(
        figure(*((f"series {k}", [1, 2], [k, k + 1]) for k in range(20))), "one"
    )
    looks = {(line["stroke"], line.get("stroke-dasharray")) for line in lines(svg)}
    assert len(looks) == 20


def test_the_legend_names_every_series_in_order():
    svg = figure_svg(
        figure(("torch <b>", [1, 2], [3, 4]), ("a", [1, 2], [1, 2])), "one"
    )
    assert [text.text for text in parts(svg, "text")][-2:] == ["torch <b>", "a"]


def test_a_band_is_drawn_where_it_has_both_ends():
    bare, banded = (("torch", [1, 2], [3, 4], *band) for band in ((), ([2, 3], [4, 5])))
    with_band = [
        a
        for part in parts(figure_svg(figure(banded), "one"), "path")
        if "opacity" in (a := part.attrib)
    ]
    assert [a["fill"] for a in with_band] == [COLOURS[0]]
    assert not [
        part
        for part in parts(figure_svg(figure(bare), "one"), "path")
        if "opacity" in part.attrib
    ]


def test_a_missing_value_interrupts_the_line():
    svg = figure_svg(figure(("torch", [1, 2, 3, 4, 5], [1, 2, None, 4, 5])), "one")
    assert lines(svg)[0]["d"].count("M") == 2
    assert len(dots(svg)) == 4 + 1  # and the one of the legend


def test_a_curve_keeps_the_order_of_its_points():
    svg = figure_svg(figure(("torch", [1, 3, 2], [1, 2, 3])), "one")
    start, steps = lines(svg)[0]["d"][1:].split("l")
    first = float(start.split(",")[0])
    right, left = (float(x) for x, _ in re.findall(r"(-?[\d.]+) ?(-?[\d.]+)", steps))
    assert first < first + right + left < first + right


@pytest.mark.parametrize(
    ("axes", "hidden"),
    [
        ({}, 1),
        ({"log_x": True}, 2),
        ({"log_y": True}, 2),
        ({"log_x": True, "log_y": True}, 3),
    ],
)
def test_points_that_a_logarithmic_axis_cannot_show_are_counted_and_left_out(
    axes, hidden
):
    curves = figure(("torch", [0, 1, 2, 3, 4], [1, -1, 2, None, 3]), **axes)
    assert hidden_points(curves) == hidden
    assert len(dots(figure_svg(curves, "one"))) == 5 - hidden + 1


def test_a_figure_without_points_is_drawn_empty():
    svg = figure_svg(figure(("torch", [], []), ("jax", [1.0], [None])), "one")
    assert [text.text for text in parts(svg, "text")][-2:] == ["torch", "jax"]


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("x", [[64, 128, 256], [1, 2, 3], [0.1, 0.2, 0.3]])
def test_ticks_stand_where_something_was_measured(log, x):
    svg = figure_svg(figure(("torch", x, [3, 2, 1]), log_x=log), "one")
    assert [text.text for text in parts(svg, "text")][:3] == [str(place) for place in x]


@pytest.mark.parametrize(
    ("log", "y", "labels"),
    [
        (False, [0, 25, 100], ["0", "20", "40", "60", "80", "100"]),
        (True, [0.001, 0.1, 10], ["0.001", "0.01", "0.1", "1", "10"]),
    ],
)
def test_ticks_are_written_as_one_would(log, y, labels):
    svg = figure_svg(figure(("torch", [1, 2, 3], y), log_y=log), "one")
    assert set(labels) <= {text.text for text in parts(svg, "text")}


@pytest.mark.parametrize(("reference", "lines"), [(3.5, 1), (None, 0)])
def test_the_reference_line_is_drawn_on_request(reference, lines):
    """Once in the panel, once beside its name."""
    svg = figure_svg(
        figure(("torch", [1, 2, 3], [3, 4, 5]), reference_y=reference), "one"
    )
    assert len(dashed(svg)) == 2 * lines


@pytest.mark.parametrize("x", [[1, 2], ["a", "b"]])
@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("The line is the margin.", "the margin"),
        ("Means; the line: between two kernels. More.", "between two kernels"),
        ("Over epochs.", "line at 3.5"),
        ("Means; the line is at 3.5.", "line at 3.5"),
        ("The line is at 0.1 of the target; more.", "0.1 of the target"),
    ],
)
def test_the_reference_line_has_a_name(x, description, name):
    svg = figure_svg(
        figure(("torch", x, [3, 4]), reference_y=3.5, description=description), "one"
    )
    assert name in [text.text for text in parts(svg, "text")]


def heights(svg, *names):
    """Of labels, in pixels from the top."""
    found = {
        text.text: float(
            text.get("y") or text.get("transform").partition(",")[2].rstrip(")")
        )
        for text in parts(svg, "text")
    }
    return [found[name] for name in names]


def test_a_label_stands_where_its_line_ends_and_touches_no_other():
    svg = figure_svg(
        figure(("low", [1, 2], [9, 0]), ("high", [1, 2], [0, 9]), ("mid", [1], [5])),
        "one",
    )
    high, mid, low = heights(svg, "high", "mid", "low")
    assert high < 25
    assert 90 < mid < 150
    assert low > 215
    alike = figure(*((f"series {k}", [1, 2], [5, 5]) for k in range(12)))
    names = [series["label"] for series in alike["series"]]
    placed = sorted(heights(figure_svg(alike, "one"), *names))
    assert all(below - above >= 14 for above, below in pairwise(placed))
    assert placed[-1] - placed[0] < 12 * 20


def test_what_a_paper_reports_is_grey():
    curves = [(label, [1, 2], [3, 4]) for label in ("ours", "paper, read off", "b")]
    drawn = lines(figure_svg(figure(*curves), "one"))
    assert [line["stroke"] for line in drawn] == [COLOURS[0], MUTED, COLOURS[2]]


def test_a_line_of_many_points_is_drawn_without_marks():
    steps = list(range(40))
    svg = figure_svg(figure(("curve", steps, steps)), "one")
    assert (len(lines(svg)), dots(svg)) == (1, [])


def test_a_table_of_many_places_shows_eight_of_them():
    steps = list(range(100))
    shown = places(figure(("curve", steps, steps)))
    assert " ".join(place for place, _ in shown.rows) == "0 14 28 42 57 71 85 99"
    assert shown.left_out == 92


def test_the_level_of_bands_is_said_once():
    banded = ("torch", [1, 2], [3, 4], [2, 3], [4, 5])
    assert bands(figure(banded)) == "Bands: 95 % intervals."
    assert bands(figure(banded, description="Means with 95 % intervals.")) == ""
    assert bands(figure(("torch", [1, 2], [3, 4]))) == ""


@pytest.mark.parametrize(
    ("values", "log", "ticks"),
    [
        ([0.034, 0.68], True, [0.05, 0.1, 0.2, 0.5]),
        ([1.05, 1.23], True, [1.05, 1.1, 1.15, 1.2]),
        ([1e-5, 1e4], True, [1e-5, 1e-3, 0.1, 10, 1000]),
        ([0.04, 0.13], False, [0.04, 0.06, 0.08, 0.1, 0.12]),
        ([5, 5], False, [4.8, 4.9, 5, 5.1, 5.2]),
        ([], True, [1, 2, 5, 10]),
        ([-1.0, 0.0], True, [1, 2, 5, 10]),
    ],
)
def test_ticks_reach_over_the_data(values, log, ticks):
    drawn = axis(values, log)
    assert drawn.ticks == pytest.approx(ticks)
    assert all(drawn.low < value < drawn.high for value in values if value > 0)


def test_labels_of_measured_places_do_not_touch():
    places = [0.09375, 0.1, 0.2, 0.203125]
    assert at_places(axis(places, log=True), places, 330) == (0.09375, 0.203125)
    assert at_places(axis([3], log=True), [3], 330) == (3,)


@pytest.mark.parametrize("values", [[1e6, 1e10, 1e14], [1e-9, 1e-7, 1e-5]])
def test_values_of_any_size_fit_beside_the_axis(values):
    svg = figure_svg(figure(("torch", [1, 2, 3], values), log_y=True), "one")
    labels = [text.text for text in parts(svg, "text")]
    assert any("e" in label[1:-1] and label[-1].isdigit() for label in labels)
    assert not any("000" in label for label in labels)


NAMES = ["all of it", "kernel", "finite <width>"]


def test_over_names_stand_points_with_intervals_in_the_order_of_the_names():
    shares = ([0.3, 0.1, 0.2], [0.2, 0.0, 0.1], [0.4, 0.2, 0.3])
    svg = figure_svg(figure(("torch", NAMES, *shares), ("jax", NAMES, *shares)), "one")
    (torch,) = [
        d
        for part in parts(svg, "path")
        if (d := part.get("d")).count("a3.7") == 2 * len(NAMES)
    ]
    places = [float(x) for x in re.findall(r"M(\S+) ", torch)]
    assert [text.text for text in parts(svg, "text")][:3] == NAMES
    assert len(dots(svg)) == 2 * 3 + 2  # with those of the legend
    assert places == sorted(places)
    assert len(places) == 3
    assert not lines(svg)  # names have no order that a line could follow
    upright = [
        a["d"]
        for part in parts(svg, "path")
        if (a := part.attrib).get("stroke-width") == "1.8"
    ]
    assert len("".join(upright).split("M")) - 1 == 2 * 3


def test_series_over_names_stand_side_by_side():
    svg = figure_svg(
        figure(*((label, NAMES, [1, 2, 3]) for label in ("torch", "jax"))), "one"
    )
    torch, jax = (
        [
            part.attrib["d"]
            for part in parts(svg, "path")
            if part.attrib.get("fill") == c
        ]
        for c in COLOURS[:2]
    )
    first = [float(re.match(r"M(\S+) ", path[0])[1]) for path in (torch, jax)]
    assert 5 < first[1] - first[0] < 60


def test_a_long_name_is_broken_into_lines():
    svg = figure_svg(
        figure(
            ("torch", ["a name of many words", "b", "c", "d", "e"], [1, 2, 3, 4, 5])
        ),
        "one",
    )
    assert [line.text for line in parts(svg, "tspan")] == ["a name of", "many words"]
    assert figure_svg(figure(("torch", [""], [1])), "one")


def test_neighbours_that_look_alike_are_one_element_in_the_same_places(monkeypatch):
    """Grid lines, points and labels; drawn apart, as Vega has them, they stand where they stand
    joined.
    """

    def drawn_at(svg):
        found = []
        for part in parts(svg, "path") + parts(svg, "line"):
            x, y = part.get("transform", "translate(0,0)")[10:-1].split(",")
            if part.tag == "line":
                found.append((x, y, f"l{part.get('x2', '0')} {part.get('y2', '0')}"))
            elif "transform" in part.attrib:
                found.append((x, y, neighbours._relative(part.get("d"))))
            elif part.get("stroke-width") != "2":
                found += [
                    (x, y, rest)
                    for x, y, rest in re.findall(
                        r"M([-.\d]+)[ ,]([-.\d]+)([^M]*)", part.get("d")
                    )
                ]
        return sorted(found), [text.text for text in parts(svg, "text")]

    logarithmic = figure(
        ("torch", [1, 10, 1000], [1, 20, 300]),
        ("jax", [1, 10], [2, 3]),
        log_x=True,
        log_y=True,
    )
    together = figure_svg(logarithmic, "one")
    monkeypatch.setattr("harness.report.svg.joined", lambda elements: elements)
    apart = figure_svg(logarithmic, "one")
    assert len(parts(apart, "line")) > 20
    assert len(parts(together, "line")) < 10
    assert len(parts(together, "path")) < len(parts(apart, "path")) + 10
    assert drawn_at(apart) == drawn_at(together)


@pytest.mark.parametrize(
    ("marks", "line", "points"), [("both", 1, 4), ("line", 1, 0), ("points", 0, 4)]
)
def test_a_series_is_drawn_as_a_line_as_points_or_as_both(marks, line, points):
    """In the panel, and once in the legend."""
    curve = figure(("torch", [1, 2, 3], [3, 4, 5]))
    curve["series"][0]["marks"] = marks
    svg = figure_svg(curve, "one")
    in_legend = [
        part for part in parts(svg, "line") if part.attrib.get("stroke-width") == "2"
    ]
    assert (len(lines(svg)), len(in_legend), len(dots(svg))) == (line, line, points)
