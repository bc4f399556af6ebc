"""From the SVG that Vega draws to one that can stand inside an HTML page: small, named, without ids of its own.

Vega marks every part of a chart with ARIA roles. Behind role="img" a screen reader hears only the title and the
description, and the numbers are in the table beside the figure, so the roles go.
"""

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any
from xml.etree import ElementTree

import vl_convert

GEOMETRY = frozenset({"d", "x", "y", "x1", "y1", "x2", "y2", "width", "height", "transform"})
PAINT = frozenset({"fill", "fill-opacity", "opacity", "stroke", "stroke-dasharray", "stroke-opacity", "stroke-width"})
TEXT = frozenset({"font-size", "font-style", "font-weight", "text-anchor"})
DEFAULTS = {("opacity", "1"), ("fill-opacity", "1"), ("stroke-opacity", "1"), ("stroke-width", "1")}
FEW_LINES = 4
TRANSLATED = re.compile(r"translate\((-?[\d.]+),(-?[\d.]+)\)")
LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")


def draw(specification: Mapping[str, Any], identity: str, title: str, description: str) -> str:
    """A Vega-Lite specification as an SVG element for an HTML page; the same bytes for the same input.

    Args:
        specification: with its data inside.
        identity: unique in the page; the element's labels get their ids from it.
        title, description: what a screen reader says.
    """
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(dict(specification)))
    size = {name: _short(root.attrib[name]) for name in ("width", "height")}
    labels = [_label("title", f"{identity}-title", title), _label("desc", f"{identity}-desc", description)]
    attributes = {
        "role": "img",
        "aria-labelledby": " ".join(label.attrib["id"] for label in labels),
        "viewBox": f"0 0 {size['width']} {size['height']}",
        **size,
    }
    picture = ElementTree.Element("svg", attributes)
    picture.extend([*labels, *(part for child in root for part in _tidy(child))])
    return ElementTree.tostring(picture, encoding="unicode")


def _label(tag: str, identity: str, text: str) -> ElementTree.Element:
    label = ElementTree.Element(tag, {"id": identity})
    label.text = text
    return label


def _tidy(element: ElementTree.Element) -> list[ElementTree.Element]:
    """The element with only what is drawn; nothing for one that draws nothing; its children for a bare group."""
    attributes = {
        name: _short(value)
        for name, value in element.attrib.items()
        if name in GEOMETRY | PAINT | TEXT and (name, value) not in DEFAULTS and value != "translate(0,0)"
    }
    tag = element.tag.split("}")[-1]
    children = _lines_joined([part for child in element for part in _tidy(child)])
    if tag == "g" and (not attributes or not children):
        return children
    if tag == "path" and not ("d" in attributes and {"fill", "stroke"} & attributes.keys()):
        return []
    if (tag == "text" and not element.text) or attributes.get("fill") == "transparent":
        return []
    tidy = ElementTree.Element(tag, attributes)
    tidy.text = element.text
    tidy.extend(children)
    return [tidy]


def _lines_joined(elements: list[ElementTree.Element]) -> list[ElementTree.Element]:
    """Neighbouring lines of one paint as one path: a grid is as many lines as a logarithmic axis has ticks."""
    found: list[ElementTree.Element] = []
    for paint, neighbours in groupby(elements, _paint_of_line):
        group = list(neighbours)
        if paint is None or len(group) < FEW_LINES:
            found += group
            continue
        segments = ((TRANSLATED.fullmatch(e.get("transform", "")), e.get("x2", "0"), e.get("y2", "0")) for e in group)
        starts = "".join(f"M{at[1]} {at[2]}l{x} {y}" if at else f"M0 0l{x} {y}" for at, x, y in segments)
        found.append(ElementTree.Element("path", {"d": starts, **dict(paint)}))
    return found


def _paint_of_line(element: ElementTree.Element) -> tuple[tuple[str, str], ...] | None:
    """What a line is painted with; None for anything else, and for lines that are placed otherwise."""
    placed = {"transform", "x2", "y2"}
    if element.tag != "line" or {"x1", "y1"} & element.attrib.keys():
        return None
    if not TRANSLATED.fullmatch(element.get("transform", "translate(0,0)")):
        return None
    return tuple(sorted(item for item in element.attrib.items() if item[0] not in placed))


def _short(value: str) -> str:
    return LONG_NUMBER.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), value)
