"""Which claims a command is about: one spelling in every command."""

import pytest

from harness.cli import main, parser
from harness.commands.options import matching

CHOOSING = (
    "list",
    "plan",
    "sweep",
    "verdict",
    "power",
    "calibrate",
    "register",
    "amend",
    "rehearse",
    "withdraw",
    "audit",
    "diff",
)
REQUIRED = {
    "amend": ["--reason", "why", "--results-seen", "no"],
    "withdraw": ["--reason", "why"],
}


def options_of(name):
    (commands,) = (action for action in parser()._actions if action.choices)
    return {
        text
        for action in commands.choices[name]._actions
        for text in (*action.option_strings, action.dest)
    }


def test_every_command_about_claims_chooses_them_alike():
    (commands,) = (action for action in parser()._actions if action.choices)
    about_claims = {name for name in commands.choices if "--claims" in options_of(name)}
    # a recorded run has every claim
    assert about_claims - {"export", "record"} <= set(CHOOSING)
    assert all({"ids", "-k"} <= options_of(name) for name in CHOOSING)


@pytest.mark.parametrize("name", [name for name in CHOOSING if name != "diff"])
@pytest.mark.parametrize("spelling", [["dog"], ["-k", "dog"]])
def test_a_part_that_is_in_no_id_is_named_with_the_ids_there_are(
    plant, capsys, name, spelling
):
    plant("first")
    folder = ["--from", "."] if name == "calibrate" else []
    assert main([name, *spelling, *REQUIRED.get(name, []), *folder]) == 2
    assert (
        "No claim below claims has an id that contains 'dog'. There: toy/first."
        in capsys.readouterr().err
    )


def chosen(capsys, *arguments):
    assert main(["list", *arguments]) == 0
    return [
        line.split()[0]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("toy/")
    ]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ([], ["toy/gap", "toy/gap_grows", "toy/other"]),
        (["gap"], ["toy/gap", "toy/gap_grows"]),
        (["-k", "gap"], ["toy/gap", "toy/gap_grows"]),
        (["toy/gap"], ["toy/gap"]),
        (["-k", "other", "-k", "grows"], ["toy/gap_grows", "toy/other"]),
        (["other", "-k", "grows"], ["toy/gap_grows", "toy/other"]),
    ],
)
def test_ids_and_k_choose_the_same_claims(plant, capsys, arguments, names):
    for name in ("gap", "gap_grows", "other"):
        plant(name)
    assert chosen(capsys, *arguments) == names


@pytest.mark.parametrize("name", ["amend", "withdraw", "rehearse"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "is of one claim: name it"),
        (["-k", "toy"], "is of one claim, and toy names toy/first, toy/second."),
    ],
)
def test_what_is_done_to_one_claim_names_it(plant, capsys, name, arguments, said):
    plant("first")
    plant("second")
    assert main([name, *arguments, *REQUIRED.get(name, [])]) == 2
    assert said in capsys.readouterr().err


def test_a_part_of_an_id_registers_what_is_not_registered(plant, capsys):
    plant("first", registered=False)
    assert main(["register", "-k", "first"]) == 0
    plant("second", registered=False)
    assert main(["register", "toy"]) == 0
    assert capsys.readouterr().out.count("registered toy/second") == 1
    assert main(["register", "-k", "first"]) == 2
    assert (
        "Claim 'toy/first' is registered already; amend it: ntk-claims amend toy/first"
        in capsys.readouterr().err
    )


def test_a_claim_without_its_file_is_withdrawn_by_a_part_of_its_id(plant, capsys):
    file = plant("first")
    plant("second")
    file.unlink()
    assert main(["withdraw", "-k", "first", "--reason", "The gate cannot be met."]) == 0
    assert "withdrawn toy/first" in capsys.readouterr().out


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.startswith("ntk-claims 0.")


def test_an_id_in_full_is_that_claim_alone():
    assert matching(["a/gap", "a/gap_grows"], "a/gap") == ["a/gap"]
    assert matching(["a/gap", "a/gap_grows"], "a/ga") == ["a/gap", "a/gap_grows"]
