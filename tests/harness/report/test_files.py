"""The four files: written whole or not at all, read back, and told apart by what may change."""

import json
from datetime import datetime

import pytest

from harness import report
from harness.errors import InvalidInput

EMPTY = report.document([], "full", ["torch"], {})


@pytest.fixture
def run(build_run):
    return build_run(claims={})


def test_written_files_are_read_back_and_drawn_alike(tmp_path, document, build_run):
    path = report.write(tmp_path / "new" / "run", document, build_run())
    assert path == tmp_path / "new" / "run" / "report.html"
    assert {file.name for file in path.parent.iterdir()} == {
        "verdicts.json",
        "run.json",
        "summary.md",
        "report.html",
    }
    loaded = report.load(path.parent)
    assert loaded == (document, build_run())
    assert report.render(*loaded) == path.read_text(encoding="utf-8")


def test_two_builds_have_the_same_bytes(tmp_path, build_document, build_run):
    first, second = (
        report.write(tmp_path / name, build_document(), build_run()) for name in "ab"
    )
    for name in ("verdicts.json", "run.json", "report.html", "summary.md"):
        assert (first.parent / name).read_bytes() == (second.parent / name).read_bytes()


def test_a_later_run_changes_nothing_in_the_verdicts(tmp_path, run, build_run):
    first = report.write(tmp_path / "a", EMPTY, run)
    changes = {
        "finished": datetime(2027, 1, 1),
        "platform": {"host": "elsewhere"},
        "claims": {},
    }
    later = report.write(tmp_path / "b", EMPTY, build_run(**changes))
    for name in ("verdicts.json", "summary.md"):
        assert (first.parent / name).read_bytes() == (later.parent / name).read_bytes()
    assert "elsewhere" in later.read_text(encoding="utf-8")


def test_keys_are_sorted_so_that_files_can_be_compared(tmp_path, run):
    lines = (
        report.write(tmp_path, EMPTY, run)
        .with_name("verdicts.json")
        .read_text()
        .splitlines()
    )
    keys = [line.split('"')[1] for line in lines if line.startswith(' "')]
    assert keys == sorted(keys)
    assert len(keys) == 8


def test_a_folder_that_cannot_be_written_is_named(tmp_path, run):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        InvalidInput,
        match=r"cannot be written to .*file: .*\. Name a folder that can be written",
    ):
        report.write(tmp_path / "file", EMPTY, run)


def test_a_write_that_fails_leaves_the_old_files_and_no_scraps(
    tmp_path, run, monkeypatch
):
    before = report.write(tmp_path, EMPTY, run).with_name("verdicts.json").read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InvalidInput, match="No space left on device"):
        report.write(tmp_path, {**EMPTY, "tier": "quick"}, run)
    assert (tmp_path / "verdicts.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 4


def test_loading_says_what_is_missing_or_wrong(tmp_path, run):
    with pytest.raises(
        InvalidInput,
        match=r"verdicts\.json cannot be read as part of a report: .*No such file",
    ):
        report.load(tmp_path)
    report.write(tmp_path, EMPTY, run)
    (tmp_path / "verdicts.json").write_text('{"version": 99}')
    with pytest.raises(
        InvalidInput,
        match=r"has version 99 of the format; this program reads versions 2 and 3\.",
    ):
        report.load(tmp_path)
    (tmp_path / "verdicts.json").write_text('{"version": 3, "claims": []}')
    with pytest.raises(
        InvalidInput,
        match=r"not what verdicts\.schema\.json asks for, at \$: 'tier' is a required",
    ):
        report.load(tmp_path)
    report.write(tmp_path, EMPTY, run)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(
        InvalidInput,
        match=r"run\.json cannot be read .* Write the report again from the store",
    ):
        report.load(tmp_path)


def test_a_report_of_the_version_before_is_read_as_one_of_this(tmp_path, document, run):
    report.write(tmp_path, document, run)
    old = json.loads(report.as_text(document)) | {"version": 2}
    for claim in old["claims"]:
        claim["verdict"].pop("beside")
    (tmp_path / "verdicts.json").write_text(json.dumps(old), encoding="utf-8")
    loaded, _ = report.load(tmp_path)
    assert loaded["version"] == 3
    assert [claim["verdict"]["beside"] for claim in loaded["claims"]] == [[]] * 6
    assert report.render(loaded, run)
    for damage in (
        {"claims": "none"},
        {"claims": [None]},
        {"claims": [{"verdict": 1}]},
    ):
        (tmp_path / "verdicts.json").write_text(
            json.dumps(old | damage), encoding="utf-8"
        )
        with pytest.raises(
            InvalidInput,
            match=r"not what verdicts\.schema\.json asks for, at \$\.claims",
        ):
            report.load(tmp_path)


def test_a_report_without_claims_can_be_written(tmp_path, run):
    path = report.write(tmp_path, EMPTY, run)
    assert "This run has no claims." in path.read_text(encoding="utf-8")
    assert "No claims" in path.with_name("summary.md").read_text(encoding="utf-8")


def test_a_run_counts_ages_from_its_end(build_run):
    run = build_run()
    assert run["seconds"] == 483
    assert run["cells"]["oldest"] == {
        "computed": "2026-11-18T10:30:00",
        "age": 76 * 3600,
    }
    assert run["cells"]["newest"]["age"] == 0
    assert (
        run["cells"]["computed"],
        run["cells"]["cached"],
        run["cells"]["failed"],
    ) == (60, 84, 3)
