"""What is registered of a claim, what is refused, and how a change of it comes out."""

import inspect
import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import registration, report, studies
from harness.cli import main
from harness.errors import InvalidInput
from harness.experiment import Experiment, Tier, canonical, digest
from harness.registration import ClaimRecord, ledger
from harness.registration import code as registered_code
from harness.registration.rules import objections, unreachable
from harness.session import Settings, verify
from harness.statistics import versions
from harness.study import Equivalence, Gate, Hypothesis, Published, Superiority

ROOT = Path(__file__).parents[3]


@pytest.fixture
def toy(plant):
    """The study of a toy claim as its file says, which is not registered unless asked."""

    def load(name="toy", registered=False, **constants):
        return studies.load(plant(name, registered, **constants))

    return load


@pytest.fixture
def folder(pytester):
    return pytester.path / "claims" / registration.FOLDER


@pytest.fixture
def call(pytester, capsys):
    """Runs a command in the test's folder; its exit code, standard output and standard error."""

    def run(*arguments):
        capsys.readouterr()
        return main(arguments), *capsys.readouterr()

    return run


@pytest.fixture
def run(pytester, folder):
    """Verifies studies in numpy; the registrations are asked for."""

    def verified(*toys):
        settings = Settings("quick", ("numpy",), pytester.path / "store")
        folders = {toy.claim.id: folder for toy in toys}
        return verify(
            toys, settings, registrations=folders, progress=lambda status: None
        )

    return verified


def with_hypothesis(study, **changes):
    (hypothesis,) = study.claim.hypotheses
    return replace(
        study, claim=replace(study.claim, hypotheses=(replace(hypothesis, **changes),))
    )


def with_claim(study, **changes):
    return replace(study, claim=replace(study.claim, **changes))


def with_tier(study, **changes):
    (experiment,) = study.experiments
    return replace(
        study,
        experiments=(replace(experiment, quick=replace(experiment.quick, **changes)),),
    )


def hypothesis(rule, bounds, effect=0.5):
    return Hypothesis("rate", "a rate", rule, "so", effect, 0.1, bounds=bounds)


CHANGES = {
    "claim.statement": lambda s: with_claim(s, statement="Toys play."),
    "claim.paper.locus": lambda s: with_claim(
        s, paper=replace(s.claim.paper, locus="section 2")
    ),
    "claim.family": lambda s: with_claim(s, family="games"),
    "claim.gates[trained].failure": lambda s: with_claim(
        s, gates=(replace(s.claim.gates[0], failure="BROKEN"),)
    ),
    "claim.controls[false].why": lambda s: with_claim(
        s, controls=(s.claim.controls[0], replace(s.claim.controls[1], why="otherwise"))
    ),
    "claim.hypotheses[gap].rule.margin": lambda s: with_hypothesis(
        s, rule=Superiority(0.05)
    ),
    "claim.hypotheses[gap].rule.alpha": lambda s: with_hypothesis(
        s, rule=Superiority(0.1, alpha=0.01)
    ),
    "claim.hypotheses[gap].rule.kind": lambda s: with_hypothesis(
        s, rule=Equivalence(0.1)
    ),
    "claim.hypotheses[gap].expected_effect": lambda s: with_hypothesis(
        s, expected_effect=0.4
    ),
    "claim.hypotheses[gap].role": lambda s: with_hypothesis(s, role="secondary"),
    "claim.hypotheses[gap].agreement": lambda s: with_hypothesis(s, agreement=0.1),
    "claim.hypotheses[gap].bounds": lambda s: with_hypothesis(
        s, bounds=(0.0, math.inf)
    ),
    "claim.hypotheses[gap].published": lambda s: with_hypothesis(
        s, published=Published(0.3, "table 1", "printed")
    ),
    "experiments[0].tiers.quick.replicates": lambda s: with_tier(s, replicates=12),
    "experiments[0].tiers.quick.grid[0].spread": lambda s: with_tier(
        s,
        grid=(
            dict(s.experiments[0].quick.grid[0], spread=0.01),
            *s.experiments[0].quick.grid[1:],
        ),
    ),
    "experiments[0].stream": lambda s: replace(
        s, experiments=(replace(s.experiments[0], stream="fresh"),)
    ),
    "experiments[0].dtype": lambda s: replace(
        s, experiments=(replace(s.experiments[0], dtype="float32"),)
    ),
}


@pytest.mark.parametrize("path", CHANGES)
def test_whatever_matters_is_registered_and_its_change_is_named(toy, folder, path):
    if path.endswith("role"):
        extra = Hypothesis(
            "other", "another", Superiority(0.1), "as good as any", 0.3, 0.05
        )
        study = toy()
        study = with_claim(study, hypotheses=(*study.claim.hypotheses, extra))
        changed = with_claim(
            study,
            hypotheses=(replace(study.claim.hypotheses[0], role="secondary"), extra),
        )
    else:
        study = toy()
        changed = CHANGES[path](study)
    registration.register(study, folder, "First.", results_seen=False)
    assert registration.check(study, folder) == ""
    said = registration.check(changed, folder)
    assert said.startswith(f"unregistered change: {path} (")
    assert said.endswith(
        '; run `ntk-claims amend toy/toy --reason "..." --results-seen yes|no`.'
    )


def edited(study, old, new):
    """The study of the same file after an edit."""
    file = Path(inspect.getsourcefile(study.estimators[0]))
    text = file.read_text()
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new))
    return studies.load(file)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            'return m[toys]("value", arm="effect")',
            'return m[toys]("value", arm="true")',
        ),
        ("return UNTRAINED", 'return ""'),
        ('UNTRAINED = ""', "UNTRAINED = str()"),
        (
            "import numpy as np\n",
            "import numpy as np\nfrom pathlib import PurePath as Path\n",
        ),
        ('time.sleep(configuration["seconds"])', "pass"),
        ("range(0)", "range(1)"),
    ],
)
def test_code_behind_the_effects_is_registered(toy, folder, old, new):
    study = toy()
    if "range" in old:
        study = edited(
            study,
            "    return UNTRAINED",
            "    [0 for _ in range(0)]\n    return UNTRAINED",
        )
    registration.register(study, folder, "First.", results_seen=False)
    assert re.match(
        r"unregistered change: the code of an effect, a control or a gate, or what it calls \(",
        registration.check(edited(study, old, new), folder),
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            '    """The gap is {}."""\n    if',
            '    """The gap is {}."""\n    # One value per seed.\n\n    if',
        ),
        (
            '"""Passes if the toy works."""',
            '"""Passes if the toy works!"""\n    assert True',
        ),
        ("import numpy as np\n", "import math\n\nimport numpy as np\n"),
        (
            "    return UNTRAINED",
            "    return (  # so\n        UNTRAINED\n    )",
        ),
    ],
)
def test_comments_docstrings_layout_and_other_functions_are_not(toy, folder, old, new):
    study = toy()
    registration.register(study, folder, "First.", results_seen=False)
    assert registration.check(edited(study, old, new), folder) == ""


def test_equal_numbers_have_equal_digests_whatever_their_type(toy):
    one, same = (with_hypothesis(toy(), expected_effect=effect) for effect in (1, 1.0))
    assert ClaimRecord.of(one).digest == ClaimRecord.of(same).digest


def test_a_record_is_strict_and_frozen(toy):
    record = ClaimRecord.of(toy())
    assert record.digest == digest(record.content)
    with pytest.raises(ValueError, match="frozen"):
        record.code = ""
    for content, message in (
        ({**record.content, "more": 1}, "Extra inputs are not permitted"),
        (
            {**record.content, "claim": {**record.content["claim"], "id": 3}},
            "should be a valid string",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            ClaimRecord.model_validate_json(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda s: with_claim(s, statement=""),
            "claim.statement: String should have at least 1 character, got ''",
        ),
        (
            lambda s: with_claim(s, paper=replace(s.claim.paper, year="2020")),
            "claim.paper.year: Input should be a v",
        ),
        (
            lambda s: with_hypothesis(s, expected_sd=math.nan),
            "Out of range float values are not JSON compliant",
        ),
        (
            lambda s: with_hypothesis(s, expected_sd=np.float32(1)),
            "Object of type float32 is not JSON serializable",
        ),
    ],
)
def test_what_is_no_record_is_named(toy, change, said):
    with pytest.raises(
        InvalidInput,
        match=rf"Claim 'toy/toy' cannot be registered: {re.escape(said)}.*It must consist",
    ):
        ClaimRecord.of(change(toy()))


def test_the_published_schema_is_that_of_the_records(capsys):
    assert main(["register", "--schema"]) == 0
    published = (ROOT / "harness" / "registration" / "schema.json").read_text(
        encoding="utf-8"
    )
    assert published == capsys.readouterr().out, (
        "ntk-claims register --schema > harness/registration/schema.json"
    )


@pytest.mark.parametrize(
    ("rule", "bounds", "never"),
    [
        (Superiority(0.5), None, []),
        (Superiority(0.5), (0.0, 1.0), []),
        (Superiority(1.0), (0.0, 1.0), ["SUPPORTED"]),
        (Superiority(0.0), (0.0, 1.0), ["REFUTED"]),
        (Equivalence(0.1), (0.0, math.inf), []),
        (Equivalence(0.1), (-math.inf, 0.0), []),
        (Equivalence(2.0), (-1.0, 1.0), ["REFUTED"]),
        (Equivalence(0.1), (0.1, 1.0), ["SUPPORTED"]),
        (Equivalence(0.1), (-1.0, -0.1), ["SUPPORTED"]),
    ],
)
def test_rules_whose_branches_cannot_be_reached(rule, bounds, never):
    assert unreachable(hypothesis(rule, bounds)) == never


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (1.0,)])
def test_bounds_are_a_range(bounds):
    with pytest.raises(
        InvalidInput,
        match=r"The bounds of hypothesis 'rate' must be \(low, high\) with low < high, an",
    ):
        hypothesis(Superiority(0.5), bounds)


@pytest.mark.parametrize(
    "number",
    [(math.inf, "table 1", "printed"), (1.0, " ", "printed"), (1.0, "table 1", "")],
)
def test_a_published_number_says_where_it_stands(number):
    with pytest.raises(
        InvalidInput,
        match=r"A published number is finite and says where it stands and how it is known",
    ):
        Published(*number)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda s: with_hypothesis(s, expected_sd=0.5),
            "it comes out SUPPORTED with probability 0.2",
        ),
        (
            lambda s: with_hypothesis(s, expected_sd=0.0),
            "hypothesis 'gap' expects a standard deviation of 0.0, which",
        ),
        (
            lambda s: with_hypothesis(s, bounds=(0.1, 1.0)),
            "hypothesis 'gap' can never come out REFUTED: mean effect > 0.1 (one-sided t, alpha = "
            "0.05), with effects "
            "in [0.1, 1]",
        ),
        (
            lambda s: with_hypothesis(s, bounds=(-1.0, 0.2)),
            "hypothesis 'gap' expects an effect of 0.3, outside its b",
        ),
        (
            lambda s: with_tier(s, replicates=9),
            "its quick tier has 9 replicates, and at least 10 are needed",
        ),
        (
            lambda s: replace(
                s,
                experiments=(
                    *s.experiments,
                    replace(s.experiments[0], quick=Tier((), 12)),
                ),
            ),
            "the experiments of its quick tier have different numbers of replicates: [10, 12]",
        ),
        (lambda s: replace(s, experiments=()), "it has no experiment"),
        (
            lambda s: replace(s, estimators=(lambda m: {},)),
            "its effects or gates are no function at the top level",
        ),
    ],
)
def test_what_the_rules_of_evidence_forbid_is_not_registered(toy, folder, change, said):
    study = change(toy())
    assert any(text.startswith(said) for text in objections(study)), objections(study)
    with pytest.raises(InvalidInput, match=r"Claim 'toy/toy' cannot be registered: "):
        registration.register(study, folder, "First.", results_seen=False)
    assert not folder.exists()


def test_a_claim_that_is_expected_to_be_refuted_has_the_power_to_be_refuted(toy):
    assert objections(with_hypothesis(toy(), expected_effect=-0.1)) == []
    (text,) = objections(with_hypothesis(toy(), expected_effect=0.08))
    assert text.startswith("it comes out REFUTED with probability 0.2")


def test_a_claim_without_power_is_told_its_weakest_hypothesis_and_the_seeds(toy):
    (text,) = objections(with_hypothesis(toy(), expected_sd=0.5), family=2)
    assert re.fullmatch(
        r"it comes out SUPPORTED with probability 0\.1\d with the 10 seeds of the quick tier "
        r"\(all primary hypotheses, Student's t and bootstrap, Holm over a family of 2\), and 0\.9 "
        r"is needed\. Weakest: 'gap', with effect 0\.3 and sd 0\.5\. "
        r"Take [67]\d seeds, or a sharper design",
        text,
    )


def test_a_larger_family_asks_for_more(toy, folder):
    study = with_hypothesis(toy(), expected_effect=0.157)
    assert objections(study, family=1) == []
    (text,) = objections(study, family=6)
    assert "Holm over a family of 6" in text
    registration.register(study, folder, "First.", results_seen=False)
    with pytest.raises(InvalidInput, match=r"Holm over a family of 6"):
        registration.amend(
            with_claim(study, title="Another"), folder, "So.", False, family=6
        )


def test_a_computation_that_two_files_of_its_paper_define_is_not_registered(
    toy, pytester
):
    study = toy()
    assert objections(study) == []
    (pytester.path / "claims" / "toy" / "experiments.py").write_text(
        "def draw_toy(): ...\n"
    )
    (text,) = objections(study)
    assert re.search(
        r"'toy/draw_toy': \S+experiments\.py and \S+test_toy\.py each define 'draw_toy'",
        text,
    )


def test_the_record_is_the_same_from_every_folder_and_through_a_link(
    plant, pytester, monkeypatch
):
    file = plant("toy")
    folder = file.parents[1]
    before = ClaimRecord.of(studies.load(file)).digest
    (pytester.path / "elsewhere").mkdir()
    (pytester.path / "elsewhere" / "claims").symlink_to(folder)
    shutil.copytree(folder, pytester.path / "copy")
    places = [
        file,
        pytester.path / "elsewhere" / "claims" / "toy" / file.name,
        pytester.path / "copy" / "toy" / file.name,
    ]
    for cwd in (
        pytester.path,
        pytester.path / "elsewhere",
        folder,
        folder / "toy",
        Path("/"),
    ):
        monkeypatch.chdir(cwd)
        for place in places:
            study = studies.load(place)
            assert (
                registration.check(study, place.parents[1] / registration.FOLDER) == ""
            )
            assert ClaimRecord.of(study).digest == before


ESTIMATORS = """
from claims.toy import tables
from harness.measurements import relative_change


def gap_of(values):
    relative_change
    return values * tables.UNIT


def unused(values):
    return values
"""


@pytest.fixture
def spread_out(plant, pytester):
    """The file of a toy claim whose effects live in other modules, one of them in the harness."""
    file = plant("toy", registered=False)
    old, new = (
        'm[toys]("value", arm="effect")',
        'gap_of(m[toys]("value", arm="effect"))',
    )
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    text = text.replace(old, new)
    imports = "import numpy as np\n"
    ours = "from claims.toy.estimators import gap_of\n"
    text = text.replace(imports, f"{imports}\n{ours}")
    file.write_text(text, encoding="utf-8")
    (file.parent / "estimators.py").write_text(ESTIMATORS)
    (file.parent / "tables.py").write_text("UNIT = 1.0\nOTHER = 2.0\n")
    registration.register(
        studies.load(file),
        pytester.path / "claims" / registration.FOLDER,
        "First.",
        results_seen=False,
    )
    return file


@pytest.mark.parametrize(
    ("file", "old", "new", "seen"),
    [
        ("estimators.py", "values * tables", "2 * values * tables", True),
        ("estimators.py", "    return values\n", "    return -values\n", False),
        (
            "estimators.py",
            "def gap_of(values):",
            'def gap_of(values):\n    """A gap."""  # in words',
            False,
        ),
        ("tables.py", "UNIT = 1.0", "UNIT = 1.5", True),
        ("tables.py", "OTHER = 2.0", "OTHER = 3.0", False),
        ("tables.py", "OTHER", "UNIT += 1\nOTHER", True),
    ],
)
def test_estimators_and_constants_in_other_modules_of_the_paper_are_registered(
    spread_out, folder, file, old, new, seen
):
    path = spread_out.parent / file
    assert registration.check(studies.load(spread_out), folder) == ""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    found = registration.check(studies.load(spread_out), folder)
    assert (
        found.startswith("unregistered change: the code of an effect")
        if seen
        else found == ""
    )


def test_estimators_in_the_harness_are_registered_too(
    spread_out, folder, tmp_path, monkeypatch
):
    home = tmp_path / "copy" / "harness"
    shutil.copytree(
        ROOT / "harness", home, ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(registered_code, "HOME", home)
    study = studies.load(spread_out)
    assert registration.check(study, folder) == ""
    text = (home / "measurements.py").read_text(encoding="utf-8")
    colon = text.index(":\n", text.index("def relative_change(")) + 2
    (home / "measurements.py").write_text(
        f"{text[:colon]}    1 + 1\n{text[colon:]}", encoding="utf-8"
    )
    assert registration.check(study, folder).startswith(
        "unregistered change: the code of an effect"
    )


def test_the_versions_of_the_statistics_are_registered(toy, folder, monkeypatch):
    study = toy(registered=True)
    record = ClaimRecord.of(study)
    assert record.estimators.keys() >= {
        "agreement",
        "equivalence",
        "intervals",
        "multiplicity",
    }
    assert registration.check(study, folder) == ""
    monkeypatch.setitem(
        versions.VERSIONS, "intervals", versions.VERSIONS["intervals"] + 1
    )
    assert registration.check(study, folder).startswith(
        "unregistered change: estimators.intervals (1 -> 2)"
    )


def test_a_record_without_estimators_still_loads(toy):
    content = ClaimRecord.of(toy()).content
    del content["estimators"]
    assert ClaimRecord.model_validate_json(canonical(content)).content == content


def test_a_registered_claim_is_judged(toy, run):
    session = run(toy(registered=True))
    assert session.verdicts["toy/toy"].kind == "SUPPORTED"
    (claim,) = session.document["claims"]
    (line,) = claim["history"]
    assert (line["reason"], line["results_seen"], line["changed"]) == (
        "Planted.",
        False,
        [],
    )
    assert line["digest"] == claim["registration"]


def test_an_unregistered_claim_is_broken_and_not_measured(toy, run, pytester):
    session = run(toy())
    verdict = session.verdicts["toy/toy"]
    assert (verdict.kind, verdict.alone, verdict.p) == ("BROKEN", "BROKEN", None)
    assert verdict.reason == "Not registered: run `ntk-claims register toy/toy`."
    (claim,) = session.document["claims"]
    assert claim["history"] == []
    assert claim["effects"] == {}
    assert not (pytester.path / "calls").exists()
    assert "not registered as it is" in report.render(session.document, session.run)


def test_a_changed_claim_is_broken_whatever_it_would_have_been(toy, run):
    study = toy(registered=True)
    changed = with_hypothesis(study, rule=Superiority(0.05), expected_effect=0.4)
    verdict = run(changed).verdicts["toy/toy"]
    assert verdict.kind == "BROKEN"
    assert verdict.reason == (
        "Unregistered change: claim.hypotheses[gap].expected_effect (0.3 -> 0.4), "
        "claim.hypotheses[gap].rule.margin "
        '(0.1 -> 0.05); run `ntk-claims amend toy/toy --reason "..." --results-seen yes|no`.'
    )


def test_the_code_of_an_unregistered_claim_is_not_run(toy, run):
    reason = run(toy(FAULT="effects")).verdicts["toy/toy"].reason
    assert reason == "Not registered: run `ntk-claims register toy/toy`."


def test_pytest_asks_for_the_registration(pytester, plant):
    plant("toy", registered=False)
    result = pytester.runpytest_inprocess(
        "claims", "--backend=numpy", "-p", "no:cacheprovider"
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*BROKEN: Not registered: run `ntk-claims register toy/toy`."]
    )


def test_registering_and_amending_from_the_command_line(toy, folder, call):
    study = toy()
    code, out, _ = call("register")
    first = ClaimRecord.of(study).digest
    date = registration.read(folder, "toy/toy").date
    assert (code, out) == (0, f"registered toy/toy {first[:12]}, {date}\n")
    assert call("register") == (0, "Every claim below claims is registered.\n", "")
    study = toy_again = edited(study, "above=0.1", "above=0.05")
    second = ClaimRecord.of(toy_again).digest
    code, out, _ = call(
        "amend", "toy/toy", "--reason", "Half is enough.", "--results-seen", "yes"
    )
    # the margin stands in a decorator, so the code changed with it
    assert code == 0
    assert re.fullmatch(
        f"amended toy/toy {first[:12]} -> {second[:12]}, {date}\n  "
        r'claim\.hypotheses\[gap\]\.rule\.margin \(0\.1 -> 0\.05\)\n  the code of .* \(".*"\)\n',
        out,
    )
    assert registration.check(study, folder) == ""
    old, new = registration.read(folder, "toy/toy").history
    assert (old.reason, old.results_seen, old.before, old.after) == (
        "Registered before the first run.",
        False,
        None,
        first,
    )
    assert (new.reason, new.results_seen, new.before, new.after) == (
        "Half is enough.",
        True,
        first,
        second,
    )
    assert new.previous == old.digest


def test_a_registration_is_one_readable_file_and_the_log_only_grows(toy, folder):
    study = toy()
    registration.register(study, folder, "First.", results_seen=False)
    log, file = folder / "toy" / "toy.log.jsonl", folder / "toy" / "toy.json"
    before = log.read_text()
    text = file.read_text()
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=1) + "\n"
    registration.amend(
        with_claim(study, limits="None."), folder, "Limits.", results_seen=False
    )
    assert log.read_text().startswith(before)
    assert len(log.read_text().splitlines()) == 2
    assert sorted(path.name for path in folder.rglob("*.*")) == [
        "chain.jsonl",
        "toy.json",
        "toy.log.jsonl",
    ]


def amended(toy, folder):
    """A claim with three lines of history."""
    study = toy()
    registration.register(study, folder, "First.", results_seen=False)
    for number in (1, 2):
        study = with_claim(study, limits=f"Limit {number}.")
        registration.amend(
            study, folder, f"Amendment {number}.", results_seen=number == 2
        )
    return study


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (
            "toy.json",
            ("Toys work.", "Toys play."),
            "the record was altered: its digest is not [0-9a-f]{64}",
        ),
        (
            "toy.log.jsonl",
            ("First.", "1st."),
            "the history was rewritten before entry 2, of .*, which does not follow",
        ),
        (
            "toy.log.jsonl",
            ("Amendment 1.", "Amended."),
            "the history was rewritten before entry 3, of .*, which does not",
        ),
        (
            "toy.log.jsonl",
            ("Amendment 2.", "Amended."),
            "the history was rewritten at its end: it does not lead to the r",
        ),
        (
            "toy.log.jsonl",
            ('"results_seen":true', '"results_seen":false'),
            "the history was rewritten at its end",
        ),
        (
            "toy.log.jsonl",
            ('"results_seen":true', '"results_seen":1'),
            "Input should be a valid boolean",
        ),
        (
            "toy.log.jsonl",
            ('"claim":"toy/toy"', '"claim":"toy/dog"'),
            "the history was rewritten before entry 1",
        ),
        ("toy.json", ('"history"', '"herstory"'), "'history'"),
        ("toy.json", ("{", ""), "Expecting value|Extra data"),
    ],
)
def test_what_was_altered_by_hand_is_named(toy, folder, run, file, change, said):
    study, (old, new) = amended(toy, folder), change
    path = folder / "toy" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    wanted = (
        rf"he registration in toy\.json and toy\.log\.jsonl does not hold: {said}.*\. "
        r"Restore both files from the v"
    )
    assert re.search(wanted, registration.check(study, folder))
    verdict = run(study).verdicts["toy/toy"]
    assert verdict.kind == "BROKEN"
    assert re.search(wanted, verdict.reason)
    with pytest.raises(InvalidInput, match=wanted):
        registration.amend(
            with_claim(study, limits=""), folder, "So.", results_seen=True
        )


@pytest.mark.parametrize("gone", ["toy.json", "toy.log.jsonl"])
def test_a_missing_half_is_no_registration(toy, folder, gone):
    study = amended(toy, folder)
    (folder / "toy" / gone).unlink()
    assert re.search(
        r"does not hold: .*No such file or directory", registration.check(study, folder)
    )


def test_a_removed_line_is_seen(toy, folder):
    study = amended(toy, folder)
    log = folder / "toy" / "toy.log.jsonl"
    lines = log.read_text().splitlines()
    for kept, said in (
        (lines[:2], "at its end"),
        (lines[1:], "before entry 1"),
        ([lines[0], lines[2]], "before entr"),
    ):
        log.write_text("\n".join(kept) + "\n")
        assert f"the history was rewritten {said}" in registration.check(study, folder)


def test_a_record_of_an_older_format_is_compared_and_amended(toy, folder, monkeypatch):
    study = toy()
    registration.register(study, folder, "First.", results_seen=False)
    path, log = folder / "toy" / "toy.json", folder / "toy" / "toy.log.jsonl"
    content, line = json.loads(path.read_text()), json.loads(log.read_text())
    del content["record"]["claim"]["limits"], line["time"], line["no_commit"]
    content["record"]["claim"]["hypotheses"][0]["power_note"] = "Seeds are dear."
    (folder / "chain.jsonl").unlink()
    line["after"] = content["digest"] = digest(content["record"])
    content["history"] = digest(line)
    log.write_text(json.dumps(line) + "\n")
    path.write_text(json.dumps(content))
    said = registration.check(study, folder)
    assert said.startswith("unregistered change: ")
    assert 'claim.limits (null -> "It is a toy.")' in said
    assert "power_note" in said
    registration.amend(study, folder, "A new format.", results_seen=False)
    assert registration.check(study, folder) == ""


def test_hypotheses_that_come_and_go_are_named(toy, folder):
    study = toy()
    registration.register(study, folder, "First.", results_seen=False)
    said = registration.check(
        with_claim(study, gates=(Gate("fed", "every toy was fed"),)), folder
    )
    assert (
        'claim.gates (["trained"] -> ["fed"]), claim.gates[trained] ({"failure": "INCONCLUSIVE", '
        in said
    )
    assert "claim.gates[fed] (null -> " in said


def test_a_long_list_of_changes_is_cut(toy, folder):
    study = toy(registered=True)
    grid = tuple(
        {key: f"new {key}" for key in cell} for cell in study.experiments[0].quick.grid
    )
    said = registration.check(with_tier(study, grid=grid), folder)
    assert re.search(r", and \d\d more; run `ntk-claims amend", said)
    assert len(said) < 900


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["register", "toy/known"],
            "Claim 'toy/known' is registered already; amend it: ntk-claims amend toy/known --",
        ),
        (
            ["register", "toy/dog"],
            "No claim below claims has an id that contains 'toy/dog'. There: toy/known, toy/new, "
            "toy/seen.",
        ),
        (
            ["register", "--claims", "nowhere"],
            "There is no folder nowhere. Name the folder that holds the claims with --claims DIR.",
        ),
        (
            ["register", "toy/new", "--reason", " "],
            "Say why claim 'toy/new' is registered: a reason that re",
        ),
        (
            ["register", "toy/seen"],
            "claims/verdicts.toml records a verdict of 'toy/seen' (quick), so results have be",
        ),
        (
            ["amend", "toy/new", "--reason", "x", "--results-seen", "no"],
            "Claim 'toy/new' is not registered; register",
        ),
        (
            ["amend", "toy/known", "--reason", "x", "--results-seen", "no"],
            "Nothing of claim 'toy/known' changed sinc",
        ),
    ],
)
def test_refusals_are_one_line_and_exit_code_two(
    plant, pytester, call, arguments, message
):
    plant("known")
    plant("new", registered=False)
    plant("seen", registered=False)
    (pytester.path / "claims" / "verdicts.toml").write_text(
        '["toy/seen"]\nquick = { verdict = "REFUTED", reason = "so" }\n'
    )
    before = sorted(pytester.path.rglob("*.json*"))
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"ntk-claims: {message}")
    assert err.count("\n") == 1
    assert sorted(pytester.path.rglob("*.json*")) == before


def test_an_amendment_without_a_reason_changes_nothing(toy, folder):
    study = toy(registered=True)
    with pytest.raises(InvalidInput, match="Say why claim 'toy/toy' is amended"):
        registration.amend(
            with_claim(study, limits="Some."), folder, "  ", results_seen=False
        )
    assert registration.check(study, folder) == ""


def test_results_that_were_seen_stay_seen(toy, folder):
    study = with_claim(amended(toy, folder), limits="Others.")
    with pytest.raises(
        InvalidInput,
        match=r"By its own history, results of claim 'toy/toy' had been seen on 2\d{3}-",
    ):
        registration.amend(study, folder, "More.", results_seen=False)
    registration.amend(study, folder, "More.", results_seen=True)


def test_none_is_registered_if_one_is_refused(plant, folder, call):
    plant("a_sound", registered=False)
    file = plant("b_weak", registered=False)
    text, expected_sd = file.read_text(), "expect=(0.3, 0.05)"
    assert text.count(expected_sd) == 1
    file.write_text(text.replace(expected_sd, "expect=(0.3, 0.5)"))
    code, out, err = call("register")
    assert (code, out) == (2, "")
    assert (
        "Claim 'toy/b_weak' cannot be registered: it comes out SUPPORTED with probability 0.1"
        in err
    )
    assert "Holm over a family of 2" in err
    assert "Weakest: 'gap', with effect 0.3 and sd 0.5. Take" in err
    assert not folder.exists()


@pytest.mark.parametrize("claim", ["toy", "../escape", "a b/c"])
def test_an_id_names_a_file_below_the_folder(tmp_path, claim):
    if claim == "toy":
        assert ledger.read(tmp_path, claim) is None
    else:
        with pytest.raises(
            InvalidInput,
            match=r"A claim's id must read <paper>/<name>, of letters, digits and _; got",
        ):
            ledger.read(tmp_path, claim)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "claims").rglob("test_*.py")), ids=lambda path: path.stem
)
def test_the_projects_claims_are_what_is_registered(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    study = studies.load(path)
    assert study is not None
    assert registration.check(study, ROOT / "claims" / registration.FOLDER) == ""


def test_no_registration_is_left_without_its_claim(monkeypatch):
    monkeypatch.chdir(ROOT)
    claims = {study.claim.id for study in studies.discover(ROOT / "claims").values()}
    folder = ROOT / "claims" / registration.FOLDER
    assert {
        p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.json")
    } <= claims


def test_an_experiment_may_come_without_a_file_of_its_own(toy):
    """A computation of the harness is registered by its name; its code is in the digest of the
    cells.
    """
    study = replace(
        toy(), experiments=(Experiment(np_computation(), Tier(({"width": 1},))),)
    )
    assert (
        ClaimRecord.of(study).experiments[0].measure
        == "harness.measurements:kernel_change"
    )
    assert objections(study) == []


def np_computation():
    from harness.measurements import kernel_change

    return kernel_change


def test_a_claim_cannot_leave_the_family_of_its_paper(plant, folder, call):
    file = plant("toy", registered=False)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('FAMILY = "toy"', 'FAMILY = "other"'), "utf-8")
    code, out, err = call("register")
    assert (code, out) == (2, "")
    assert "it lies in the folder 'toy', so its id must begin with 'toy/'" in err
    assert not folder.exists()
