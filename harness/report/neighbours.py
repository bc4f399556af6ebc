"""Neighbours in a picture that are painted alike, as one element: a grid is one path, a series'
points are one path.
"""

import re
from collections.abc import Callable, Sequence
from itertools import groupby
from xml.etree.ElementTree import Element

TRANSLATED = re.compile(r"translate\((-?[\d.]+),(-?[\d.]+)\)")
STEP = re.compile(r"([A-Za-z])([^A-Za-z]*)")
NUMBER = re.compile(r"-?[\d.]+")
Paint = tuple[tuple[str, str], ...]


def joined(elements: Sequence[Element]) -> list[Element]:
    """The elements in their order, with neighbouring lines, points and labels of one paint brought
    together.
    """
    return _runs(
        _runs(_runs(elements, _paint_of_line, _lines), _paint_of_point, _points),
        _paint_of_text,
        _texts,
    )


def _runs(
    elements: Sequence[Element],
    paint_of: Callable[[Element], Paint | None],
    join: Callable[[Paint, list[Element]], Element],
) -> list[Element]:
    found: list[Element] = []
    for paint, neighbours in groupby(elements, paint_of):
        group = list(neighbours)
        found += group if paint is None or len(group) == 1 else [join(paint, group)]
    return found


def _without(element: Element, *placed: str) -> Paint:
    return tuple(
        sorted(item for item in element.attrib.items() if item[0] not in placed)
    )


def _at(element: Element) -> tuple[str, str]:
    found = TRANSLATED.fullmatch(element.get("transform", "translate(0,0)"))
    assert found is not None, element.attrib
    return found[1], found[2]


def _only_moved(element: Element) -> bool:
    return TRANSLATED.fullmatch(element.get("transform", "translate(0,0)")) is not None


def _paint_of_line(element: Element) -> Paint | None:
    """What a line is painted with; None for anything else, and for lines placed otherwise."""
    if (
        element.tag != "line"
        or {"x1", "y1"} & element.attrib.keys()
        or not _only_moved(element)
    ):
        return None
    return _without(element, "transform", "x2", "y2")


def _lines(paint: Paint, lines: list[Element]) -> Element:
    segments = (
        (*_at(line), line.get("x2", "0"), line.get("y2", "0")) for line in lines
    )
    return Element(
        "path",
        {
            "d": "".join(f"M{x} {y}l{dx} {dy}" for x, y, dx, dy in segments),
            **dict(paint),
        },
    )


def _paint_of_point(element: Element) -> Paint | None:
    """Shape and paint of a point: a closed path that stands where it is moved to.

    None for anything else.
    """
    if (
        element.tag != "path"
        or "transform" not in element.attrib
        or not _only_moved(element)
    ):
        return None
    return _without(element, "transform")


def _points(paint: Paint, points: list[Element]) -> Element:
    shape = _relative(dict(paint)["d"])
    return Element(
        "path",
        {**dict(paint), "d": "".join(f"M{x} {y}{shape}" for x, y in map(_at, points))},
    )


def _relative(path: str) -> str:
    """A path around the origin, as steps from wherever the pen is. Commands: M, L, A, Z, h, v.

    >>> (
    ...     _relative("M-3,-3h6v6h-6Z"),
    ...     _relative("M0,-3L-4,3L4,3Z"),
    ...     _relative("M4,0A4,4,0,1,1,-4,0A4,4,0,1,1,4,0"),
    ... )
    ('m-3 -3h6v6h-6z', 'm0 -3l-4 6l8 0z', 'm4 0a4 4 0 1 1 -8 0a4 4 0 1 1 8 0')
    """
    ends, steps = [(0.0, 0.0)], []
    for command, text in STEP.findall(path):
        numbers = [float(number) for number in NUMBER.findall(text)]
        if command.islower() or command == "Z":
            steps.append(command.lower() + text)
            continue
        ends.append((numbers[-2], numbers[-1]))
        (x0, y0), (x1, y1) = ends[-2:]
        shown = [*numbers[:-2], round(x1 - x0, 1), round(y1 - y0, 1)]
        steps.append(command.lower() + " ".join(f"{number:g}" for number in shown))
    return "".join(steps)


def _paint_of_text(element: Element) -> Paint | None:
    """What a label without markup of its own is written with; None for anything else."""
    plain = (
        element.tag == "text"
        and "transform" not in element.attrib
        and len(element) == 0
    )
    return _without(element, "x", "y") if plain else None


def _texts(paint: Paint, texts: list[Element]) -> Element:
    group = Element("g", dict(paint))
    for text in texts:
        label = Element(
            "text",
            {name: text.attrib[name] for name in ("x", "y") if name in text.attrib},
        )
        label.text = text.text
        group.append(label)
    return group
