"""The recorded run ships its cells: recorded by one command, judged again where there is no store,
and a cell that is not as recorded is named.
"""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from harness import report, shipped, studies
from harness.cli import main
from harness.errors import PackCorrupted
from harness.session import Settings, verify
from harness.statistics.decisions import Rate
from harness.sweep import Store, cell
from harness.sweep.pack import pack, unpack

TARGET = Path("reports/recorded/quick")
OTHER = "0" * 64


@pytest.fixture
def call(pytester, capsys):
    """Runs a command in the test's folder; its exit code, standard output and standard error."""

    def run(*arguments):
        capsys.readouterr()
        return main([str(argument) for argument in arguments]), *capsys.readouterr()

    return run


@pytest.fixture
def run(plant, pytester, monkeypatch):
    """Verifies toys in numpy in `store`, and writes their report to the folder `run`."""
    monkeypatch.setattr(
        "harness.commands.calibrate.exponent_coverage",
        lambda *_, **__: {"line": Rate(95, 100)},
    )

    def verified(*names, **constants):
        plans = [studies.load(plant(name, **constants)) for name in names]
        folder = pytester.path / "claims" / "registrations"
        made = verify(
            plans,
            Settings("quick", ("numpy",), Path("store")),
            registrations={study.claim.id: folder for study in plans},
            progress=lambda status: None,
        )
        report.write("run", made.document, made.run)
        lines = [
            f'["{v.claim}"]\nquick = {{ verdict = "{v.kind}", reason = "so" }}\n'
            for v in made.verdicts.values()
        ]
        (pytester.path / "claims" / "verdicts.toml").write_text("".join(lines))

    return verified


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Where the first test that needs it leaves what is recorded, for the others."""
    return tmp_path_factory.mktemp("recorded") / "template"


@pytest.fixture
def recorded(run, call, pytester, template):
    """A recorded run of two toys, and no store; its folder."""
    if not template.exists():
        run("one", "two")
        made = call("record", "--from", "run", "--store", "store", "--trials", "20")
        assert made[0] == 0, made[2]
        shutil.rmtree("store")
        (pytester.path / "calls").unlink()
        shutil.copytree(pytester.path, template)
    shutil.copytree(template, pytester.path, dirs_exist_ok=True)
    return TARGET


def repacked(folder, change):
    """Writes cells.tar anew from its cells, changed; `change` takes the folder of the cells."""
    place = Path("unpacked")
    unpack(folder / shipped.CELLS, Store(place))
    change(sorted(place.rglob("*.cell")))
    pack(Store(place), folder / shipped.CELLS)


def altered(path):
    """A cell with other numbers, under the checksum that belongs to them."""
    old = cell.read(path)
    arrays = {name: array + 1 for name, array in old.arrays.items()}
    content = b"".join(
        cell.encode(old.request, old.circumstances, old.provenance, arrays)
    )
    path.write_bytes(content)


def flipped(file, name):
    """Flips a bit in the last byte of a cell in a tar file."""
    with tarfile.open(file) as tar:
        entry = tar.getmember(name)
    content = bytearray(file.read_bytes())
    content[entry.offset_data + entry.size - 1] ^= 1
    file.write_bytes(bytes(content))


def sums(folder):
    """Name -> SHA-256, as cells.sha256 has them."""
    lines = (folder / shipped.SUMS).read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def test_a_run_becomes_the_recorded_one(run, call, pytester):
    run("one", "two")
    shutil.copytree("store", "kept")
    readme = Path("README.md")
    marks = "<!-- verdicts: made by a command -->\n{}<!-- end of verdicts -->\n"
    readme.write_text(marks.format("old\n"))
    code, out, err = call("record", "--from", "run", "--store", "store", "--trials", 20)
    assert code == 0, err
    assert f"6 cells, {(TARGET / 'cells.tar').stat().st_size} bytes" in out
    assert {path.name for path in TARGET.iterdir()} == {
        *report.FILES,
        "calibration.json",
        shipped.CELLS,
        shipped.SUMS,
    }
    of_run, of_record = (report.load(folder) for folder in ("run", TARGET))
    assert of_record[1] == of_run[1]
    assert shipped.differences(of_record[0]["claims"], of_run[0]) == []
    assert all(claim["calibration"] for claim in of_record[0]["claims"])
    with shipped.unpacked(TARGET) as folder:
        for path in folder.rglob("*.cell"):
            kept = Path("kept") / path.relative_to(folder)
            assert kept.read_bytes() == path.read_bytes()
    assert not list(TARGET.parent.glob(".record-*"))
    assert "**2 claims: 2 SUPPORTED.**" in readme.read_text(encoding="utf-8")


def test_only_the_cells_that_the_verdicts_rest_on_are_recorded(run, call):
    run("one")
    (first, *_) = sorted(Path("store").rglob("*.cell"))
    old = cell.read(first)
    later = {**vars(old.circumstances), "code": OTHER}
    Store("store").put(
        old.request,
        type(old.circumstances)(**later),
        type(old.provenance)(
            **{**vars(old.provenance), "started_at": "2020-01-01T00:00:00+00:00"}
        ),
        old.arrays,
    )
    assert len(list(Path("store").rglob("*.cell"))) == 4
    assert (
        "3 cells"
        in call("record", "--from", "run", "--store", "store", "--trials", 20)[1]
    )


def test_recorded_cells_are_judged_where_there_is_no_store(recorded, pytester, call):
    result = pytester.runpytest_inprocess(
        "claims", "--backend=numpy", "--replay", "-p", "no:cacheprovider"
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["2 verdicts as recorded in reports/recorded/quick, with the same effects: *"]
    )
    assert not (pytester.path / "calls").exists()
    assert not (pytester.path / ".ntk-claims").exists()
    code, out, _ = call("verdict", "--backend", "numpy")
    assert (code, "2 of 2 verdicts are as recorded." in out) == (0, True)


def test_a_store_that_is_named_is_taken(recorded, pytester, call):
    code, _, err = call("verdict", "--backend", "numpy", "--store", "nowhere")
    assert (code, "There is no store at nowhere" in err) == (2, True)
    (pytester.path / ".ntk-claims" / "store").mkdir(parents=True)
    assert "NOT_RUN" in call("verdict", "--backend", "numpy")[1]


def test_recorded_cells_are_audited(recorded, call):
    code, out, err = call("audit", "--backend", "numpy", "--sample", "3")
    assert code == 0, err
    assert "3 of 6 recorded cells" in out
    assert "3 identical" in out


def test_an_audit_finds_recorded_cells_that_the_code_does_not_give(recorded, call):
    repacked(recorded, lambda paths: [altered(path) for path in paths])
    with tarfile.open(recorded / shipped.CELLS) as tar:
        lines = [
            f"{hashlib.sha256(tar.extractfile(name).read()).hexdigest()}  {name}\n"
            for name in tar.getnames()[1:]
        ]
    (recorded / shipped.SUMS).write_text("".join(lines))
    code, out, _ = call("audit", "--backend", "numpy", "--sample", "all")
    assert (code, "6 different" in out) == (1, True)


def test_a_damaged_cell_is_named(recorded, pytester, call):
    name = sorted(sums(recorded))[2]
    flipped(recorded / shipped.CELLS, name)
    code, _, err = call("verdict", "--backend", "numpy")
    assert code == 2
    assert f"1 of 6 recorded cells not as cells.sha256 says. damaged: {name}." in err
    result = pytester.runpytest_inprocess("claims", "--backend=numpy", "--replay")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"damaged: {name}" in result.stderr.str()


def test_a_changed_cell_is_named_with_its_computation(recorded, call):
    name = sorted(sums(recorded))[0]
    repacked(recorded, lambda paths: altered(paths[0]))
    err = call("verdict", "--backend", "numpy")[2]
    assert f"changed: {name} (toy/draw_" in err
    assert " in numpy)" in err


def test_missing_cells_are_named_and_cells_of_no_run(recorded):
    names = sorted(sums(recorded))
    repacked(recorded, lambda paths: paths[1].unlink())
    with pytest.raises(PackCorrupted, match=f"1 of 6 .* missing: {names[1]}"):
        shipped.unpacked(recorded).__enter__()
    lines = (recorded / shipped.SUMS).read_text().splitlines(keepends=True)
    (recorded / shipped.SUMS).write_text("".join(lines[1:]))
    with pytest.raises(PackCorrupted, match=f"not of the run: {names[0]} "):
        shipped.unpacked(recorded).__enter__()


@pytest.mark.parametrize("text", [None, "no sums\n"])
def test_cells_without_their_sums_are_not_judged(recorded, text, call):
    (recorded / shipped.SUMS).unlink()
    if text is not None:
        (recorded / shipped.SUMS).write_text(text)
    code, _, err = call("verdict", "--backend", "numpy")
    assert (code, "cells.sha256 cannot be read" in err) == (2, True)


def test_another_effect_than_recorded_turns_the_replay_red(recorded, pytester):
    file = recorded / "verdicts.json"
    document = json.loads(file.read_text())
    document["claims"][1]["effects"]["numpy"]["gap"][3] += 1e-6
    file.write_text(json.dumps(document))
    result = pytester.runpytest_inprocess(
        "claims", "--backend=numpy", "--replay", "-p", "no:cacheprovider"
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "Not as recorded in reports/recorded/quick:",
            "toy/two: other effects than recorded, gap in numpy",
        ]
    )


def claim(kind="SUPPORTED", effects=(0.1, 0.2)):
    return {
        "id": "toy/one",
        "verdict": {"kind": kind},
        "effects": {"numpy": {"gap": effects}},
    }


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        (claim(), []),
        (claim(effects=(0.1, 0.2 + 1e-13)), []),
        (claim("REFUTED"), ["toy/one: REFUTED, recorded SUPPORTED"]),
        (
            claim(effects=(0.1, None)),
            ["toy/one: other effects than recorded, gap in numpy"],
        ),
        (
            claim(effects=(0.1,)),
            ["toy/one: other effects than recorded, gap in numpy"],
        ),
        ({**claim(), "id": "toy/new"}, ["toy/new: not in the recorded run"]),
    ],
)
def test_what_differs_from_the_recorded_run_is_said(judged, said):
    assert shipped.differences([judged], {"claims": [claim()]}) == said


def test_effects_that_are_missing_on_both_sides_are_the_same():
    both = claim(effects=(None, np.nan))
    assert shipped.differences([claim(effects=(None, 0.0))], {"claims": [both]}) != []
    assert (
        shipped.differences(
            [claim(effects=(None, 1.0))], {"claims": [claim(effects=(None, 1.0))]}
        )
        == []
    )


def test_a_run_that_its_cells_do_not_give_is_not_recorded(run, call):
    run("one")
    for path in Path("store").rglob("*.cell"):
        altered(path)
    code, _, err = call("record", "--from", "run", "--store", "store", "--trials", 20)
    assert code == 2
    assert "do not give the verdicts of run: toy/one: " in err
    assert list(TARGET.iterdir()) == []


def test_a_run_with_missing_cells_or_claims_is_not_recorded(run, call, plant):
    run("one")
    next(Path("store").rglob("*.cell")).unlink()
    code, _, err = call("record", "--from", "run", "--store", "store")
    assert (code, "1 of 3 cells of toy/one are not in the store" in err) == (2, True)
    plant("two")
    code, _, err = call("record", "--from", "run", "--store", "store")
    assert (code, "claims: toy/two." in err) == (2, True)


def test_a_run_of_another_registration_is_not_recorded(run, call, plant):
    run("one")
    plant("one", EFFECT=0.4)
    code, _, err = call("record", "--from", "run", "--store", "store")
    assert (code, "not what the run verified: toy/one." in err) == (2, True)
