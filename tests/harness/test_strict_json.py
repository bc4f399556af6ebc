"""JSON of strangers: what the format forbids, what no reader can use, and what is no JSON."""

import json
import os
from pathlib import Path

import pytest

from harness import strict_json


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": {"b": 1, "b": 1}}', "the name 'b' is given twice"),
        ("[NaN]", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("[1e999]", "the number 1e999 is not finite"),
        ("[-1e999]", "the number -1e999 is not finite"),
        ("9" * 301, "an integer has 301 digits, and 300 are allowed"),
        ("[" * 65 + "]" * 65, "it is nested deeper than 64 levels"),
        ("[" * 10**6, "it is nested deeper than 64 levels|Expecting value"),
        ('{"a":' * 10**5, "it is nested deeper than 64 levels|Expecting value"),
        (r'["\ud800"]', "surrogates not allowed"),
        (b'["\xff"]', "invalid start byte"),
        ("", "Expecting value"),
        ("{} {}", "Extra data"),
    ],
    ids=range(13),
)
def test_what_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        strict_json.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 64 + "]" * 64,
        "9" * 300,
        '{"a": [1.5, -0.0, true, null, "ü\\u00fc"]}',
        r'["\ud83d\ude00"]',
    ],
)
def test_what_is_read_is_what_json_reads(text):
    assert (
        strict_json.parse(text) == strict_json.parse(text.encode()) == json.loads(text)
    )


def test_a_file_is_read_if_it_is_one_and_not_too_large(tmp_path):
    (tmp_path / "file").write_text('{"a": 1}')
    assert strict_json.load(tmp_path / "file", largest=8) == {"a": 1}
    with pytest.raises(ValueError, match="it has 8 bytes, and 7 are allowed"):
        strict_json.load(tmp_path / "file", largest=7)
    with pytest.raises(ValueError, match="it is no regular file"):
        strict_json.load(tmp_path)
    with pytest.raises(ValueError, match="it is no regular file"):
        strict_json.load(Path(os.devnull))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="it is no regular file"):
        strict_json.load(tmp_path / "pipe")
