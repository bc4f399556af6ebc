"""The figure of the page: times of all parties in multiples of the floor."""

from typing import Any

import altair as alt

from benchmarks.contestant import OURS, YARDSTICKS
from benchmarks.race import Race
from harness.report.svg import draw

TITLE = "Times of the empirical NTK over the floor"
OUR_COLOURS = {"torch": "#b2182b", "jax": "#2166ac"}
PEERS = "#777777"  # told apart by their shapes
DESCRIPTION = "One row per case, one mark per party; the numbers are in the table."


def points(race: Race) -> list[dict[str, Any]]:
    """A mark per case and party that raced."""
    found = []
    for row in race.record["entries"]:
        case, framework, contestant = row["case"], row["framework"], row["contestant"]
        wanted = (
            case in race.cases(subject="empirical") and contestant not in YARDSTICKS
        )
        time, floor = (
            race.time(case, framework, contestant),
            race.floor(case, framework),
        )
        if wanted and time and floor:
            party = f"{OURS}, {framework}" if contestant == OURS else contestant
            found.append({"case": case, "party": party, "times": time / floor})
    return found


def drawn(race: Race) -> str:
    """An SVG file."""
    marks = points(race)
    ours = [f"{OURS}, {framework}" for framework in OUR_COLOURS]
    parties = ours + sorted({mark["party"] for mark in marks} - set(ours))
    colours = [*OUR_COLOURS.values(), *[PEERS] * (len(parties) - len(ours))]
    chart = (
        alt.Chart(alt.Data(values=marks), width=520, background="white")
        .mark_point(filled=True, size=70, opacity=0.9)
        .encode(
            x=alt.X("times:Q", scale=alt.Scale(type="log"), title="time / floor"),
            y=alt.Y("case:N", sort=race.cases(subject="empirical"), title=None),
            color=alt.Color(
                "party:N", title=None, scale=alt.Scale(domain=parties, range=colours)
            ),
            shape=alt.Shape("party:N", title=None, scale=alt.Scale(domain=parties)),
        )
    )
    picture = draw(chart.to_dict(), "performance", TITLE, DESCRIPTION)
    return (
        picture.replace(
            "<svg ",
            '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" ',
            1,
        )
        + "\n"
    )
