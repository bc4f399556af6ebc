"""Claim files found and loaded, and the record of their verdicts."""

import re

import pytest

from harness import studies
from harness.errors import InvalidInput
from harness.studies import Recorded


@pytest.fixture
def claims(plant, pytester):
    """The folder of claims."""
    (pytester.path / "claims" / "toy").mkdir(parents=True)
    return pytester.path / "claims"


def test_claims_are_found_by_file_and_sorted(claims, plant):
    second, first = plant("second"), plant("first")
    (claims / "toy" / "test_no_claim.py").write_text(
        "claim = 1\n\ndef test_nothing(): ...\n"
    )
    (claims / "toy" / "shared.py").write_text("1 / 0\n")
    found = studies.discover(claims)
    assert list(found) == [first, second]
    assert [study.claim.id for study in found.values()] == ["toy/first", "toy/second"]


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_folder_of_claims_must_be_there(tmp_path, name):
    (tmp_path / "file").touch()
    message = (
        f"There is no folder {tmp_path / name}. "
        "Name the folder that holds the claims with --claims DIR."
    )
    with pytest.raises(InvalidInput, match=re.escape(message)):
        studies.discover(tmp_path / name)


def test_each_claim_has_its_own_id(claims, plant):
    plant("same").rename(claims / "toy" / "test_other.py")
    plant("same", registered=False)
    message = (
        f"Two claim files below {claims} have the id toy/same. Each claim has its own."
    )
    with pytest.raises(InvalidInput, match=re.escape(message)):
        studies.discover(claims)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def", "SyntaxError: "),
        ("from harness.study import Clam", "ImportError: cannot import name 'Clam'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (
            "import pytest; pytest.importorskip('no_such_module')",
            "Skipped: could not import 'no_such_module'",
        ),
    ],
)
def test_a_claim_file_that_cannot_be_loaded_is_named(tmp_path, text, error):
    file = tmp_path / "test_claim.py"
    file.write_text(text)
    with pytest.raises(
        InvalidInput,
        match=re.escape(f"The claim file {file} cannot be loaded: {error}"),
    ):
        studies.load(file)


def test_a_claim_is_a_python_file(tmp_path):
    with pytest.raises(
        InvalidInput,
        match=r"claim\.txt is not a Python file; a claim is one file test_<predicate>\.py",
    ):
        studies.load(tmp_path / "claim.txt")


def test_ctrl_c_while_a_claim_is_loaded_is_no_error_of_the_claim(tmp_path):
    (tmp_path / "test_claim.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        studies.load(tmp_path / "test_claim.py")


def test_the_record_of_a_claim_is_the_nearest_above_it(claims, plant):
    file = plant("claim", registered=False)
    assert studies.root_of(file) == claims / "toy"
    (claims / "registrations").mkdir()
    assert studies.root_of(file) == claims
    (claims / "registrations").rmdir()
    (claims / "verdicts.toml").touch()
    assert studies.root_of(file) == claims
    (claims / "toy" / "verdicts.toml").touch()
    assert studies.root_of(file) == claims / "toy"


def test_verdicts_are_recorded_per_claim_and_tier(tmp_path):
    assert studies.recorded(tmp_path) == {}
    (tmp_path / "verdicts.toml").write_text(
        '["toy/claim"]\nquick = { verdict = "REFUTED", reason = "too small" }\n'
        'full = { verdict = "SUPPORTED", reason = "largé" }\n'
    )
    assert studies.recorded(tmp_path) == {
        ("toy/claim", "quick"): Recorded("REFUTED", "too small"),
        ("toy/claim", "full"): Recorded("SUPPORTED", "largé"),
    }


@pytest.mark.parametrize(
    ("entry", "got"),
    [
        (
            'huge = { verdict = "REFUTED", reason = "so" }',
            "{'verdict': 'REFUTED', 'reason': 'so'} for 'c' at 'huge'",
        ),
        ('quick = "REFUTED"', "'REFUTED' for 'c' at 'quick'"),
        (
            'quick = { verdict = "REFUTED" }',
            "{'verdict': 'REFUTED'} for 'c' at 'quick'",
        ),
        (
            'quick = { verdict = "REFUTED", reason = " " }',
            "{'verdict': 'REFUTED', 'reason': ' '}",
        ),
        ('quick = { verdict = "REFUTED", reason = "so", by = "me" }', "'by': 'me'}"),
        (
            'quick = { verdict = "WRONG", reason = "so" }',
            "{'verdict': 'WRONG', 'reason': 'so'}",
        ),
        (
            'quick = { verdict = "BROKEN", reason = "so" }',
            "{'verdict': 'BROKEN', 'reason': 'so'}",
        ),
        (
            'quick = { verdict = ["REFUTED"], reason = "so" }',
            "{'verdict': ['REFUTED'], 'reason': 'so'}",
        ),
    ],
)
def test_an_entry_that_is_no_record_is_shown(tmp_path, entry, got):
    (tmp_path / "verdicts.toml").write_text(f'["c"]\n{entry}\n')
    message = (
        f'{tmp_path / "verdicts.toml"}: an entry must read ["<claim>"] <tier> = {{ verdict = '
        f'"...", reason = "..." }} '
        "with tier one of quick, full, verdict one of SUPPORTED, REFUTED, INCONCLUSIVE, DISAGREE, "
        "and a reason; got "
    )
    with pytest.raises(InvalidInput, match=f"^{re.escape(message)}.*{re.escape(got)}"):
        studies.recorded(tmp_path)


def test_an_entry_outside_of_a_claim_is_shown(tmp_path):
    (tmp_path / "verdicts.toml").write_text('quick = "REFUTED"\n')
    with pytest.raises(
        InvalidInput, match=r"an entry must read .*; got 'REFUTED' for 'quick' at ''\."
    ):
        studies.recorded(tmp_path)


@pytest.mark.parametrize("content", [b"= no", b"[toy/claim]", b"\xff\xfe"])
def test_a_record_that_is_no_toml_is_named(tmp_path, content):
    (tmp_path / "verdicts.toml").write_bytes(content)
    with pytest.raises(
        InvalidInput,
        match=re.escape(f"{tmp_path / 'verdicts.toml'} cannot be read as TOML: "),
    ):
        studies.recorded(tmp_path)


def test_a_file_of_tests_in_a_folder_called_claims_is_no_claim(tmp_path):
    folder = tmp_path / "tests" / "claims" / "toy"
    folder.mkdir(parents=True)
    texts = {
        "tests": "from harness import papers\n\n\ndef test_sum(oracle):\n    claim = 1\n",
        "makes": "import harness\n\nclaim = harness.Claim()\n",
        "asks": "def test_it(verdict):\n    assert verdict\n",
    }
    found = {}
    for name, text in texts.items():
        file = folder / f"test_{name}.py"
        file.write_text(text, encoding="utf-8")
        found[name] = studies.is_of_paper(file)
    assert found == {"tests": False, "makes": True, "asks": True}
