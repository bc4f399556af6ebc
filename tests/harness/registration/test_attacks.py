"""Attacks on the evidence, as someone who wants a SUPPORTED would try them; docs/security.md has
them as a table.

Each test makes one attempt and says what stops it and what a reader is told. Cells are put into a
store directly, so that no worker has to compute them.
"""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness import backends, registration, report, studies
from harness.cli import main
from harness.errors import InvalidInput
from harness.registration import chain, ledger
from harness.session import Settings, requests, verify
from harness.statistics.versions import DECIDING, VERSIONS
from harness.sweep import Circumstances, Provenance, Store, code

ROOT = Path(__file__).parents[3]
MARGIN, WEAKER = "above=0.1", "above=0.05"
LATE = Provenance("2100-01-01T00:00:00+00:00", 1.0, 1, "some machine", {}, "3.12.0")


@pytest.fixture
def folder(pytester):
    """The registrations of the test's own project."""
    return pytester.path / "claims" / registration.FOLDER


@pytest.fixture
def call(pytester, capsys):
    """Runs a command in the test's folder; its exit code and all that it printed."""

    def run(*arguments):
        capsys.readouterr()
        status = main(arguments)
        out, err = capsys.readouterr()
        return status, out + err

    return run


@pytest.fixture
def git(pytester, monkeypatch):
    """Runs git in the test's folder, which becomes a repository with one commit."""
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "A")
        monkeypatch.setenv(f"{name}_EMAIL", "a@example.org")

    def run(*arguments):
        done = subprocess.run(
            ["git", *arguments],
            cwd=pytester.path,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    run("init", "--quiet")
    run("commit", "--quiet", "--allow-empty", "--message", "First.")
    return run


def measure(study, store="store", digest=None, skip=0):
    """Puts the claim's cells into a store, as if computed by the present code, or by code of
    another digest.
    """
    for request in requests(study, Settings("quick", ("numpy",), Path(store)))[skip:]:
        function = study.experiments[0].measure
        arrays = function(
            backends.get("numpy"),
            request.configuration,
            request.replicates,
            request.stream,
        )
        present = digest or code.code_digest(request.computation, "numpy")
        Store(store).put(
            request, Circumstances("cpu", present, code.versions("numpy")), LATE, arrays
        )


def judged(study, folder, **more):
    """Verdict, document and run of one claim, from the cells of the store."""
    settings = Settings("quick", ("numpy",), Path("store"), replay=True)
    folders = {study.claim.id: folder}
    session = verify(
        [study], settings, registrations=folders, progress=lambda status: None, **more
    )
    return session.verdicts[study.claim.id], session.document, session.run


def edited(file, old, new):
    """The study of a claim file after an edit."""
    text = file.read_text()
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new))
    return studies.load(file)


VERDICT = ("verdict", "--backend", "numpy", "--store", "store")


# Look first, register afterwards.


def test_an_unregistered_claim_is_neither_computed_nor_shown(
    plant, folder, call, pytester
):
    study = studies.load(plant("toy", registered=False))
    settings = Settings("quick", ("numpy",), Path("store"))
    session = verify(
        [study],
        settings,
        registrations={"toy/toy": folder},
        progress=lambda status: None,
    )
    assert session.verdicts["toy/toy"].kind == "BROKEN"
    (claim,) = session.document["claims"]
    assert (claim["effects"], claim["figures"], claim["cells"]) == ({}, [], 0)
    assert "Nothing measured: Not registered" in report.render(
        session.document, session.run
    )
    status, said = call("sweep", "--backend", "numpy", "--store", "store")
    assert status == 1
    assert (
        "Left out: toy/toy, not registered: run `ntk-claims register toy/toy`. To try it: "
        "ntk-claims rehe" in said
    )
    status, said = call(
        "plan", "--backend", "numpy", "--store", "store", "--json", "plan.json"
    )
    assert status == 1
    assert json.loads(Path("plan.json").read_text()) == []
    assert not (pytester.path / "calls").exists()


def test_cells_that_are_there_are_not_shown_either(plant, folder):
    file = plant("toy")
    measure(studies.load(file))
    verdict, document, _ = judged(edited(file, MARGIN, WEAKER), folder)
    assert verdict.kind == "BROKEN"
    assert verdict.reason.startswith(
        "Unregistered change: claim.hypotheses[gap].rule.margin (0.1 -> 0.05)"
    )
    assert document["claims"][0]["effects"] == {}


def test_a_claim_whose_cells_are_there_is_not_registered_as_before_any_result(
    plant, folder, call
):
    measure(studies.load(plant("toy", registered=False)))
    status, said = call("register", "--store", "store")
    assert status == 2
    assert (
        "the store store holds cells of stream 'registered' (3 such cells), so results have been "
        "seen: say --re" in said
    )
    assert not folder.exists()
    assert call("register", "--store", "store", "--results-seen", "yes")[0] == 0
    (entry,) = registration.read(folder, "toy/toy").history
    assert entry.results_seen


def test_a_copy_of_a_claim_that_was_looked_at_is_told_by_its_seeds(
    plant, call, pytester
):
    measure(studies.load(plant("toy")))
    plant("toy").rename(pytester.path / "claims" / "toy" / "test_second_look.py")
    edited(
        pytester.path / "claims" / "toy" / "test_second_look.py",
        'id=f"{FAMILY}/{NAME}"',
        'id="toy/second_look"',
    )
    status, said = call("register", "toy/second_look", "--store", "store")
    assert status == 2
    assert "holds cells of stream 'registered'" in said


def test_a_claim_with_a_report_is_not_registered_as_before_any_result(
    plant, call, pytester
):
    study = studies.load(plant("toy", registered=False))
    measure(study)
    settings = Settings("quick", ("numpy",), Path("store"), replay=True)
    session = verify([study], settings, progress=lambda status: None)
    report.write(
        pytester.path / "reports" / "recorded" / "quick", session.document, session.run
    )
    status, said = call("register", "--store", "no store")
    assert status == 2
    assert (
        "verdicts.json has effects of 'toy/toy', so results have been seen: say --results-seen yes."
        in said
    )


def test_an_amendment_of_a_claim_with_cells_cannot_say_that_none_was_seen(plant, call):
    file = plant("toy")
    measure(studies.load(file))
    edited(file, MARGIN, WEAKER)
    words = (
        "amend",
        "toy/toy",
        "--store",
        "store",
        "--reason",
        "Half is enough.",
        "--results-seen",
    )
    assert call(*words, "no")[0] == 2
    assert call(*words, "yes")[0] == 0


def test_a_stream_of_rehearsals_cannot_be_registered(plant, call):
    file = plant("toy", registered=False)
    edited(
        file, 'dtype="float64")', 'dtype="float64", stream="rehearsal of registered")'
    )
    status, said = call("register")
    assert status == 2
    assert (
        "its stream 'rehearsal of registered' is that of a rehearsal, whose seeds may have been "
        "seen" in said
    )


def test_cells_older_than_the_registration_are_said(plant, folder, git, monkeypatch):
    study = studies.load(plant("toy"))
    monkeypatch.setitem(
        globals(),
        "LATE",
        Provenance("2000-01-01T00:00:00+00:00", 1.0, 1, "m", {}, "3.12.0"),
    )
    measure(study)
    _, document, run = judged(study, folder)
    assert (
        "3 of its cells say that they were computed BEFORE it was registered."
        in run["order"]["toy/toy"]
    )
    assert "computed BEFORE it was registered" in report.render(document, run)


# Register again.


def test_a_deleted_registration_is_not_written_again(plant, folder, call):
    study = studies.load(plant("toy"))
    for path in folder.glob("toy/*"):
        path.unlink()
    said = registration.check(study, folder)
    assert said.startswith(
        "the registration of claim 'toy/toy' was deleted: chain.jsonl has 1 lines of it, the last "
        "(regi"
    )
    status, text = call("register", "toy/toy")
    assert status == 2
    assert "was deleted" in text
    with pytest.raises(InvalidInput, match="was deleted"):
        registration.register(study, folder, "Again.", results_seen=False)


def test_the_chain_cannot_be_deleted_along_with_a_record(plant, folder, call):
    other = studies.load(plant("other"))
    plant("toy")
    for path in (*folder.glob("toy/toy.*"), folder / chain.CHAIN):
        path.unlink()
    assert (
        "chain.jsonl, is gone, and the log of claim 'toy/other' has lines"
        in registration.check(other, folder)
    )
    for command in (("register", "toy/toy"), ("register", "--adopt")):
        status, said = call(*command)
        assert status == 2
        assert "chain.jsonl, is gone" in said


def test_if_everything_is_deleted_git_has_the_lines(plant, folder, call, git):
    plant("toy")
    git("add", "claims")
    git("commit", "--quiet", "--message", "Registered.")
    shutil.rmtree(folder)
    assert [one.claim for one in registration.unclaimed(folder, ["toy/toy"])] == [
        "chain.jsonl"
    ]
    assert call("register", "toy/toy")[0] == 0
    (found,) = registration.unclaimed(folder, ["toy/toy"])
    assert (found.claim, found.state) == ("chain.jsonl", "altered")
    assert found.words == (
        "Lines of chain.jsonl, which only grows, were taken away or altered in the working tree."
    )
    git("add", "claims")
    git("commit", "--quiet", "--message", "Registered again.")
    (found,) = registration.unclaimed(folder, ["toy/toy"])
    assert f"in commit {git('rev-parse', 'HEAD')[:12]}." in found.words


# Edit, cut, backdate.


def amended(plant, folder):
    """A claim with two lines of history; its study, and its two files after the first."""
    file = plant("toy")
    first = {path: path.read_bytes() for path in folder.glob("toy/toy.*")}
    study = edited(file, MARGIN, WEAKER)
    registration.amend(study, folder, "Half is enough.", results_seen=True)
    return file, study, first


def test_an_edited_line_of_a_log_is_named(plant, folder):
    _, study, _ = amended(plant, folder)
    log = folder / "toy" / "toy.log.jsonl"
    log.write_text(
        log.read_text().replace('"results_seen":true', '"results_seen":false')
    )
    assert "the history was rewritten at its end" in registration.check(study, folder)


def test_a_log_that_was_written_anew_as_a_whole_is_missed_by_the_chain(plant, folder):
    """All digests of record and log hold; only the chain has other ones."""
    _, study, _ = amended(plant, folder)
    path, log = folder / "toy" / "toy.json", folder / "toy" / "toy.log.jsonl"
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    entries[-1]["results_seen"] = False
    content = json.loads(path.read_text())
    content["history"] = ledger.Entry.model_validate_json(
        json.dumps(entries[-1])
    ).digest
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    path.write_text(json.dumps(content))
    said = registration.check(study, folder)
    assert (
        "the log of claim 'toy/toy' has 2 lines, and chain.jsonl names 2, which are not all among "
        "them" in said
    )


def test_a_log_cut_back_to_before_an_amendment_is_missed_by_the_chain(plant, folder):
    file, _, first = amended(plant, folder)
    for path, content in first.items():
        path.write_bytes(content)
    said = registration.check(edited(file, WEAKER, MARGIN), folder)
    assert (
        "the log of claim 'toy/toy' has 1 lines, and chain.jsonl names 2, which are not all among "
        "them" in said
    )


def test_a_line_that_the_chain_never_saw_is_named(plant, folder):
    _, study, _ = amended(plant, folder)
    lines = (folder / chain.CHAIN).read_text().splitlines(keepends=True)
    (folder / chain.CHAIN).write_text(lines[0])
    assert "line 2 of the log of claim 'toy/toy', of 2" in registration.check(
        study, folder
    )
    registration.adopt(folder)
    assert registration.check(study, folder) == ""
    assert [link.action for link in chain.read(folder)] == ["registered", "adopted"]


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (
            lambda lines: [lines[0].replace("Planted.", "So be it."), *lines[1:]],
            "at line 2: a line was altered",
        ),
        (
            lambda lines: lines[1:],
            "at line 1: a line was altered, taken away or put in",
        ),
        (lambda lines: [*lines[:-1], lines[-1][:-20]], "at line 2: "),
        (
            lambda lines: [*lines, lines[-1]],
            "at line 3: a line was altered, taken away or put in",
        ),
    ],
)
def test_an_altered_chain_is_named_for_every_claim(plant, folder, alter, said):
    _, study, _ = amended(plant, folder)
    path = folder / chain.CHAIN
    path.write_text("\n".join(alter(path.read_text().splitlines())) + "\n")
    assert (
        f"the chain of registrations, chain.jsonl, does not hold {said}"
        in registration.check(study, folder)
    )
    (found,) = registration.unclaimed(folder, ["toy/toy"])
    assert found.state == "altered"


def test_a_backdated_line_of_the_chain_is_named(plant, folder):
    amended(plant, folder)
    path = folder / chain.CHAIN
    first, second = path.read_text().splitlines()
    content = {**json.loads(second), "time": "2001-01-01T00:00:00+00:00"}
    path.write_text(f"{first}\n{json.dumps(content)}\n")
    with pytest.raises(
        InvalidInput,
        match=r"line 2: its time, 2001-01-01T00:00:00\+00:00, is before that of the line",
    ):
        chain.read(folder)


def test_an_entry_is_not_older_than_the_commit_that_it_names(
    plant, folder, git, monkeypatch
):
    early = registration.Moment(
        "2001-01-01T00:00:00+00:00", git("rev-parse", "HEAD"), "", True
    )
    monkeypatch.setattr("harness.registration.moment.now", lambda folder: early)
    study = studies.load(plant("toy"))
    measure(study)
    _, document, run = judged(study, folder)
    assert run["order"]["toy/toy"].startswith(
        "The entry of 2001-01-01T00:00:00+00:00 is backdated: commit "
    )
    assert "is backdated" in report.render(document, run)


def test_the_order_of_registration_and_run_is_shown_where_git_knows_it(
    plant, folder, git
):
    study = studies.load(plant("toy"))
    before = git("rev-parse", "HEAD")
    git("add", "claims")
    git("commit", "--quiet", "--message", "Registered.")
    measure(study)
    _, document, run = judged(study, folder)
    after = git("rev-parse", "HEAD")
    assert run["git"]["commit"] == after
    assert run["order"]["toy/toy"] == (
        f"Registered at commit {before[:12]}, an ancestor of commit {after[:12]}, at which it was "
        "run."
    )
    page = report.render(document, run)
    assert run["order"]["toy/toy"] in page
    assert document["claims"][0]["history"][0]["commit"] == before
    git("checkout", "--quiet", "--orphan", "other")
    git("commit", "--quiet", "--message", "Elsewhere.")
    assert "which is NO ancestor of" in judged(study, folder)[2]["order"]["toy/toy"]


def test_without_git_the_report_says_that_the_order_cannot_be_shown(
    plant, folder, monkeypatch
):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", os.sep)
    monkeypatch.setattr(
        "harness.registration.moment._run",
        lambda *a: subprocess.CompletedProcess(a, 128, "", ""),
    )
    study = studies.load(plant("toy"))
    measure(study)
    _, _, run = judged(study, folder)
    assert run["git"] == {
        "commit": None,
        "reason": "the folder lies in no git repository, or in one without a commit",
        "clean": None,
    }
    assert run["order"]["toy/toy"].startswith(
        "The order cannot be shown: the entry of 2"
    )


# Other code.


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            'return m[toys]("value", arm="effect")',
            'return 2 * m[toys]("value", arm="effect")',
        ),
        ("EFFECT = 0.3", "EFFECT = 0.4"),
        ("replicates=SEEDS", "replicates=SEEDS + 1"),
        ("SEEDS = 10", "SEEDS = 11"),
    ],
    ids=["an estimator", "a constant", "a seed", "a seed by a constant"],
)
def test_a_changed_estimator_constant_or_number_of_seeds_is_an_unregistered_change(
    plant, folder, old, new
):
    file = plant("toy")
    text = file.read_text()
    lines = [
        line.replace(old, new) if old in line else line
        for line in text.splitlines(keepends=True)
    ]
    file.write_text("".join(lines))
    assert file.read_text() != text
    assert registration.check(studies.load(file), folder).startswith(
        "unregistered change: "
    )


SCALED = """SCALE = 1.0


def scaled(values):
    return SCALE * values
"""


def test_a_constant_in_another_module_is_an_unregistered_change(plant, folder):
    file = plant("toy", registered=False)
    estimators = file.with_name("estimators.py")
    estimators.write_text(SCALED)
    imports = "import numpy as np\n"
    edited(file, imports, f"{imports}\nfrom claims.toy.estimators import scaled\n")
    study = edited(
        file,
        'return m[toys]("value", arm="effect")',
        'return scaled(m[toys]("value", arm="effect"))',
    )
    registration.register(study, folder, "First.", results_seen=False)
    estimators.write_text(SCALED.replace("1.0", "2.0"))
    assert registration.check(studies.load(file), folder).startswith(
        "unregistered change: "
    )


@pytest.mark.parametrize("estimator", DECIDING)
def test_the_version_of_the_statistics_is_registered(
    plant, folder, monkeypatch, estimator
):
    study = studies.load(plant("toy"))
    assert registration.check(study, folder) == ""
    monkeypatch.setitem(VERSIONS, estimator, VERSIONS[estimator] + 1)
    assert registration.check(study, folder).startswith("unregistered change: ")


def test_cells_of_other_code_are_said_and_turn_the_exit_code(plant, folder, call):
    study = studies.load(plant("toy"))
    measure(study, digest="0" * 64)
    status, said = call(*VERDICT)
    assert status == 1
    assert "STALE: 3 of 3 cells were computed by other code than the present." in said
    assert "Stale, computed by other code than the present: toy/toy." in said
    assert call(*VERDICT, "--stale-ok")[0] == 0
    verdict, document, run = judged(study, folder)
    assert verdict.reason.startswith(
        "3 of 3 cells were computed by other code than the present. At quick scale: "
    )
    page = report.render(document, run)
    header = page[: page.index("</header>")]
    assert (
        "<strong>Stale.</strong> Cells of 1 claim were computed by other code than the present:"
        in header
    )
    assert (
        "**Stale: cells were computed by other code than the present: Toy toy (3 of 3).**"
        in report.summary_markdown(document)
    )


def test_pytest_fails_on_cells_of_other_code(plant, pytester):
    measure(studies.load(plant("toy")), digest="0" * 64)
    words = (
        "claims",
        "--backend=numpy",
        "--replay",
        "--store=store",
        "-p",
        "no:cacheprovider",
    )
    result = pytester.runpytest_inprocess(*words)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*STALE: 3 of 3 cells were computed by other code than the present.*--stale-ok.*"
        ]
    )
    pytester.runpytest_inprocess(*words, "--stale-ok").assert_outcomes(passed=1)


# Other cells.


def test_a_swapped_or_edited_cell_is_set_aside(plant, folder):
    study = studies.load(plant("toy", BLOCK=5))
    measure(study)
    first, second, third, *_ = sorted(Path("store").rglob("*.cell"))
    first.write_bytes(second.read_bytes())  # another configuration's or seed's
    # other numbers
    third.write_bytes(third.read_bytes()[:-8] + np.float64(9.0).tobytes())
    verdict, _, _ = judged(study, folder)
    assert verdict.kind == "BROKEN"
    assert "2 of 6 cells of backend 'numpy' are missing" in verdict.reason
    assert len(list(Path("store").rglob("*.corrupt"))) == 2


def test_a_cell_that_claims_to_be_of_other_seeds_is_set_aside(plant, folder):
    """Its header edited, and its checksum made to fit: then its name does not."""
    study = studies.load(plant("toy", BLOCK=5))
    measure(study)
    path = sorted(Path("store").rglob("*.cell"))[0]
    _, _, sealed = path.read_bytes().partition(b"\n")
    forged = sealed.replace(b'"replicates":[0,1,2,3,4]', b'"replicates":[5,6,7,8,9]')
    forged = (
        forged
        if forged != sealed
        else sealed.replace(b'"replicates":[5,6,7,8,9]', b'"replicates":[0,1,2,3,4]')
    )
    path.write_bytes(
        b"ntk-claims-cell 1 "
        + hashlib.sha256(forged).hexdigest().encode()
        + b"\n"
        + forged
    )
    verdict, _, _ = judged(study, folder)
    assert "1 of 6 cells of backend 'numpy' are missing" in verdict.reason


def test_a_seed_that_is_left_out_of_the_store_is_missed(plant, folder):
    study = studies.load(plant("toy", BLOCK=5))
    measure(study, skip=1)
    verdict, _, _ = judged(study, folder)
    assert verdict.kind == "BROKEN"
    assert "1 of 6 cells of backend 'numpy' are missing" in verdict.reason


# Rename, hide, withdraw.


def test_a_renamed_claim_leaves_its_registration_behind_and_cannot_be_registered_as_new(
    plant, call
):
    file = plant("toy")
    measure(studies.load(file))
    edited(file, 'id=f"{FAMILY}/{NAME}"', 'id="toy/renamed"')
    status, said = call("register", "toy/renamed", "--store", "store")
    assert status == 2
    assert "holds cells of stream 'registered'" in said
    status, said = call("list")
    assert "toy/toy      missing" in said
    status, said = call(*VERDICT)
    assert status == 1
    assert "toy/renamed: BROKEN, and none is recorded" in said
    assert "toy/toy (missing): Registered on 2" in said


def test_a_hidden_claim_is_named_and_counts_in_its_family(
    plant, folder, call, pytester
):
    study = studies.load(plant("toy"))
    measure(study)
    plant("disappointing").unlink()
    for command in (("list",), ("register",)):
        assert "there is no claim file of it" in " ".join(call(*command)[1].split())
    status, said = call(*VERDICT, "--json", "verdicts.json")
    assert status == 1
    assert "toy/disappointing (missing): Registered on 2" in said
    document = json.loads(Path("verdicts.json").read_text())
    (claim,) = document["claims"]
    assert claim["verdict"]["p_family"] == pytest.approx(2 * claim["verdict"]["p"])
    page = report.render(document, judged(study, folder)[2])
    assert "Registered, without a claim file." in page[: page.index("</header>")]
    words = (
        "claims",
        "--backend=numpy",
        "--replay",
        "--store=store",
        "-p",
        "no:cacheprovider",
    )
    result = pytester.runpytest_inprocess(*words)
    result.assert_outcomes(passed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["missing       toy/disappointing: Registered on 2*"])


def test_a_hidden_claim_whose_record_is_deleted_too_is_named(plant, folder, call):
    plant("toy")
    plant("disappointing").unlink()
    for path in folder.glob("toy/disappointing.*"):
        path.unlink()
    (found,) = registration.unclaimed(folder, ["toy/toy"])
    assert (found.claim, found.state) == ("toy/disappointing", "altered")
    assert found.words.startswith(
        "The registration of claim 'toy/disappointing' was deleted: chain.jsonl has 1 lines"
    )


def test_a_claim_is_withdrawn_in_the_open(plant, folder, call, pytester):
    study = studies.load(plant("toy"))
    measure(study)
    status, _ = call(
        "withdraw", "toy/toy", "--reason", "The gate cannot be met.", "--store", "store"
    )
    assert status == 0
    assert [
        (e.withdrawn, e.results_seen)
        for e in registration.read(folder, "toy/toy").history
    ] == [
        (False, False),
        (True, True),
    ]
    verdict, document, run = judged(study, folder)
    assert (verdict.kind, document["claims"][0]["effects"]) == ("NOT_RUN", {})
    assert verdict.reason.startswith("Withdrawn on 2")
    assert "The gate cannot be met." in report.render(document, run)
    said = call("list")[1]
    assert "withdrawn" in said
    assert "The gate cannot be met." in said
    (pytester.path / "claims" / "toy" / "test_toy.py").unlink()
    plant("other")
    assert "after results had been seen: The gate cannot be met." in " ".join(
        call("list")[1].split()
    )
    assert call("withdraw", "toy/toy", "--reason", "Twice.")[0] == 2


def test_a_withdrawn_claim_is_taken_up_again_by_an_amendment(plant, folder):
    study = studies.load(plant("toy"))
    registration.withdraw(folder, "toy/toy", "No time.", results_seen=True)
    with pytest.raises(InvalidInput, match="say --results-seen yes"):
        registration.amend(study, folder, "Time.", results_seen=False)
    registration.amend(study, folder, "Time.", results_seen=True)
    assert registration.check(study, folder) == ""
    assert [link.action for link in chain.read(folder)] == [
        "registered",
        "withdrawn",
        "amended",
    ]


# What is honest.


def test_a_rehearsal_registers_nothing_and_uses_other_seeds(plant, folder, call):
    plant("toy", registered=False)
    status, said = call("rehearse", "toy/toy", "--backend", "numpy", "--seeds", "10")
    assert status == 0, said
    assert "10 seeds of stream 'rehearsal of registered'; no verdict." in said
    assert "numpy     0.3, sd 0.03364; power with the claim's 10 seeds: 1.00" in said
    assert (
        "control false: must be not SUPPORTED; REFUTED, as planted; with the claim's 10 seeds it "
        "will be with probability 1.00" in said
    )
    assert not folder.exists()
    assert call("register", "--store", ".ntk-claims/rehearsals")[0] == 0


def test_a_rehearsal_finds_a_misspelt_quantity(plant, call):
    edited(
        plant("toy", registered=False),
        'return m[toys]("value", arm="effect")',
        'return m[toys]("valeu", arm="effect")',
    )
    status, said = call("rehearse", "toy/toy", "--backend", "numpy")
    assert status == 2
    assert "measured: value" in said
    assert "'draw_toy' measures no 'valeu'. It measures: value." in said


def test_the_projects_registrations_are_taken_over_without_a_change(tmp_path):
    folder = tmp_path / registration.FOLDER
    shutil.copytree(
        ROOT / "claims" / registration.FOLDER,
        folder,
        ignore=shutil.ignore_patterns(chain.CHAIN),
    )
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    claims = ledger.claims_on_file(folder)
    if any('"time"' in path.read_text() for path in folder.rglob("*.log.jsonl")):
        pytest.skip("The project's logs have lines of after the chain was begun.")
    lines = registration.adopt(folder)
    assert {
        path: path.read_bytes()
        for path in folder.rglob("*.*")
        if path.name != chain.CHAIN
    } == before
    assert {line.claim for line in lines} == set(claims)
    assert {link.action for link in chain.read(folder)} == {"adopted"}
    assert all(registration.read(folder, claim).history for claim in claims)
    assert registration.adopt(folder) == []
