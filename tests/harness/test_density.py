"""How much a line holds: tokens of code on each line inside functions.

There is no limit on lines.
"""

import ast
import io
import tokenize
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
COUNTED = {tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
SHORTEST = 4
"""Lines of code that a function has at least for its lines to count."""

LIMITS = {"claims": (7, 18), "harness": (8, 20), "tests": (9, 22)}
"""Folder -> median and 90th percentile of tokens a line."""


def tokens_a_line(text: str) -> list[int]:
    """Tokens on every line of code of every function; a line of a function within a function counts
    for both.
    """
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    count = Counter(token.start[0] for token in tokens if token.type in COUNTED)
    found: list[int] = []
    for function in (
        node for node in ast.walk(ast.parse(text)) if isinstance(node, FUNCTIONS)
    ):
        lines = range(function.lineno, function.end_lineno + 1)
        own = [count[line] for line in lines if line in count]
        if len(own) >= SHORTEST:
            found += own
    return found


def sources(folder: str) -> dict[str, str]:
    files = sorted((ROOT / folder).rglob("*.py"))
    return {
        file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
        for file in files
    }


def nested(tree: ast.AST) -> list[int]:
    """Lines of comprehensions within the element or the conditions of another."""
    found = []
    for outer in (node for node in ast.walk(tree) if isinstance(node, COMPREHENSIONS)):
        inner = [
            node
            for node in ast.walk(outer)
            if isinstance(node, COMPREHENSIONS) and node is not outer
        ]
        found += [node.lineno for node in inner]
    return found


def test_what_is_counted():
    text = (
        "def f(x):\n    '''Words.'''\n    # a comment\n    y = x + 1\n"
        "    return (\n        y\n    )\n"
    )
    assert tokens_a_line(text) == [6, 1, 5, 2, 1, 1]
    assert tokens_a_line("def f(x):\n    return x\n") == []


@pytest.mark.parametrize("folder", LIMITS)
def test_a_line_holds_one_thought(folder):
    counts = [
        count for text in sources(folder).values() for count in tokens_a_line(text)
    ]
    most_median, most_high = LIMITS[folder]
    assert np.median(counts) <= most_median
    assert np.percentile(counts, 90) <= most_high


def test_claims_have_no_comprehension_within_another_and_skip_no_format():
    files = sources("claims")
    assert {
        name: lines
        for name, text in files.items()
        if (lines := nested(ast.parse(text)))
    } == {}
    assert [
        name
        for name, text in files.items()
        if "fmt: skip" in text or "fmt: off" in text
    ] == []


def test_a_claim_is_a_page():
    pages = {
        name: text.count("\n")
        for name, text in sources("claims").items()
        if "/test_" in name
    }
    assert np.median(list(pages.values())) <= 120, pages
    assert max(pages.values()) <= 167, pages
