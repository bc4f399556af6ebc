"""From the SVG that Vega draws to one for an HTML page: small, named, without ids of its own.

Vega marks every part of a chart with ARIA roles. Behind role="img" a screen reader hears only the
title and the description, and the numbers are in the table beside the figure, so the roles go.
Places are rounded to a tenth of a pixel, and what is said of every neighbour alike is said once
(`harness.report.neighbours`).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

import vl_convert

from harness.report.neighbours import joined

GEOMETRY = frozenset(
    {"d", "x", "y", "x1", "y1", "x2", "y2", "dx", "dy", "width", "height", "transform"}
)
PAINT = frozenset(
    {
        "fill",
        "fill-opacity",
        "opacity",
        "stroke",
        "stroke-dasharray",
        "stroke-opacity",
        "stroke-width",
    }
)
TEXT = frozenset({"font-size", "font-style", "font-weight", "text-anchor"})
FONT_SIZE = "12px"
DEFAULTS = {
    *(
        (name, "1")
        for name in ("opacity", "fill-opacity", "stroke-opacity", "stroke-width")
    ),
    ("transform", "translate(0,0)"),
    ("stroke-dasharray", "1,0"),
    ("font-weight", "normal"),
    ("font-size", FONT_SIZE),
    ("text-anchor", "start"),
}
TRANSLATED = re.compile(r"translate\((-?[\d.]+),(-?[\d.]+)\)")
POINT = re.compile(r"([ML])(-?[\d.]+),(-?[\d.]+)")
LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}(?:e-?\d+)?")
Element = ElementTree.Element


def draw(
    specification: Mapping[str, Any], identity: str, title: str, description: str
) -> str:
    """A Vega-Lite specification as an SVG element for an HTML page; the same bytes for the same
    input.

    Args:
        specification: with its data inside.
        identity: unique in the page; the element's labels get their ids from it.
        title, description: what a screen reader says.
    """
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(dict(specification)))
    width, height = (short(root.attrib[name]) for name in ("width", "height"))
    return picture(
        identity,
        title,
        description,
        size=(width, height),
        parts=(part for child in root for part in _tidy(child)),
    )


def picture(
    identity: str,
    title: str,
    description: str,
    *,
    size: tuple[str, str],
    parts: Iterable[Element],
) -> str:
    """An SVG element of that width and height in pixels, with what a screen reader says of it, and
    its parts. Without an identity a screen reader passes it by: the numbers stand beside it.
    """
    labels, spoken = _spoken(identity, title, description)
    attributes = {
        **spoken,
        "viewBox": f"0 0 {size[0]} {size[1]}",
        "width": size[0],
        "height": size[1],
        "font-size": FONT_SIZE,
    }
    found = Element("svg", attributes)
    found.extend([*labels, *parts])
    for path in found.iter("path"):
        path.attrib["d"] = stepwise(path.attrib["d"])
    # In XML a ">" inside a text or an attribute is "&gt;", so this is the end of an empty element.
    return ElementTree.tostring(found, encoding="unicode").replace(" />", "/>")


def _spoken(
    identity: str, title: str, description: str
) -> tuple[list[Element], dict[str, str]]:
    """Labels of a picture, and the attributes that name them."""
    if not identity:
        return [], {"aria-hidden": "true"}
    labels = [
        _label("title", f"{identity}-title", title),
        _label("desc", f"{identity}-desc", description),
    ]
    names = " ".join(label.attrib["id"] for label in labels)
    return labels, {"role": "img", "aria-labelledby": names}


def short(value: str) -> str:
    """Every number in a text to a tenth.

    >>> short("M3.742,0.04L-0.02,12")
    'M3.7,0L0,12'
    """
    return LONG_NUMBER.sub(
        lambda number: f"{round(float(number[0]), 1) + 0.0:g}", value
    )


def stepwise(path: str) -> str:
    """A path of straight lines with every point as a step from the one before, which takes fewer
    characters; any other path as it is.

    >>> stepwise("M10,218.8L12.5,214.3L22,214.3Z")
    'M10,218.8l2.5-4.5 9.5 0Z'
    >>> stepwise("M0,0C1,1,2,2,3,3")
    'M0,0C1,1,2,2,3,3'
    """
    points = POINT.findall(path)
    end = "Z" if path.endswith("Z") else ""
    if "".join(f"{command}{x},{y}" for command, x, y in points) + end != path:
        return path
    said = ""
    last, before = "M", (0, 0)
    for command, *place in points:
        x, y = (round(10 * float(number)) for number in place)
        if command == "M":
            said += f"M{place[0]},{place[1]}"
        else:
            step = f"{_tenths(x - before[0])} {_tenths(y - before[1])}"
            said += ("l" if last == "M" else " ") + step
        last, before = command, (x, y)
    return re.sub(r" (?=-)", "", said) + end


def _tenths(number: int) -> str:
    """So many tenths as a number, without a zero before its point."""
    return re.sub(r"^(-?)0\.", r"\1.", f"{number / 10:g}")


def _label(tag: str, identity: str, text: str) -> Element:
    label = Element(tag, {"id": identity})
    label.text = text
    return label


def _tidy(element: Element) -> list[Element]:
    """The element with only what is drawn; nothing for one that draws nothing; its children for a
    bare group.
    """
    attributes = {
        name: short(value)
        for name, value in element.attrib.items()
        if name in GEOMETRY | PAINT | TEXT and (name, value) not in DEFAULTS
    }
    if "stroke" not in attributes:
        attributes.pop("stroke-width", None)
    tag = element.tag.split("}")[-1]
    children = joined([part for child in element for part in _tidy(child)])
    if tag == "g" and (not attributes or not children):
        return children
    if tag == "path" and not (
        "d" in attributes and {"fill", "stroke"} & attributes.keys()
    ):
        return []
    if (tag == "text" and not (element.text or children)) or attributes.get(
        "fill"
    ) == "transparent":
        return []
    tidy = Element(
        tag, _placed(attributes) if tag == "text" and not children else attributes
    )
    tidy.text = element.text
    tidy.extend(children)
    return [tidy]


def _placed(attributes: dict[str, str]) -> dict[str, str]:
    """A text of one line that is moved and nothing else stands at x and y instead."""
    if (at := TRANSLATED.fullmatch(attributes.get("transform", ""))) is None:
        return attributes
    return {"x": at[1], "y": at[2]} | {
        name: value for name, value in attributes.items() if name != "transform"
    }
