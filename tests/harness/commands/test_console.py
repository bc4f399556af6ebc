"""The edge of every command: signs that the output's encoding lacks, and the exit code."""

import io
import sys
from importlib import import_module

import pytest

from harness import cli
from harness.console import CLOSED, CRASHED, INTERRUPTED, PLAIN, REFUSED, guarded, plain
from harness.errors import ClaimsError, InvalidInput, SweepFailed
from harness.verdict import Kind

ENCODINGS = ("utf-8", "latin-1", "cp1252", "ascii")
SIGNS = "\N{MINUS SIGN}0.25 \N{PLUS-MINUS SIGN} 0.1\N{NO-BREAK SPACE}s"


class Output(io.TextIOWrapper):
    """Standard output or error in an encoding, as Python opens them, and what was written."""

    def __init__(self, encoding):
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)

    def written(self):
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def outputs(monkeypatch):
    """Puts standard output and standard error of an encoding in the place of those that there are;
    both.
    """

    def put(encoding):
        out, err = Output(encoding), Output(encoding)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        return out, err

    return put


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-8", SIGNS),
        ("latin-1", "-0.25 \N{PLUS-MINUS SIGN} 0.1\N{NO-BREAK SPACE}s"),
        ("cp1252", "-0.25 \N{PLUS-MINUS SIGN} 0.1\N{NO-BREAK SPACE}s"),
        ("ascii", "-0.25 +/- 0.1 s"),
    ],
)
def test_what_an_encoding_lacks_is_written_in_other_signs_and_no_number_changes(
    outputs, encoding, written
):
    out, err = outputs(encoding)

    def work():
        print(SIGNS, end="")
        print(SIGNS, end="", file=sys.stderr)
        return 0

    assert guarded(work) == 0
    assert (out.written(), err.written()) == (written, written)


def test_a_file_name_that_is_no_text_can_be_shown(outputs):
    out, _ = outputs("utf-8")
    assert guarded(lambda: print("caf\udce9", end="") or 0) == 0
    assert out.written() == r"caf\udce9"


def test_every_sign_has_a_plain_one():
    everything = "".join(map(chr, range(0x20, 0x3000)))
    assert plain(everything).isascii()
    assert everything.encode("ascii", PLAIN).decode("ascii") == plain(everything)
    assert plain(everything[:95]) == everything[:95]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InvalidInput("no such claim"), REFUSED, "it: no such claim\n"),
        (SweepFailed("cells are missing"), REFUSED, "it: cells are missing\n"),
        (ClaimsError(SIGNS), REFUSED, "it: -0.25 +/- 0.1 s\n"),
        (KeyboardInterrupt(), INTERRUPTED, "\nInterrupted. Nothing is lost.\n"),
        (
            ZeroDivisionError("our fault"),
            CRASHED,
            "ZeroDivisionError: our fault\nit ended with an error of its own",
        ),
        (
            UnicodeEncodeError("ascii", "x", 0, 1, "our fault"),
            CRASHED,
            "it ended with an error of its own",
        ),
        (
            PermissionError("our fault"),
            CRASHED,
            "it ended with an error of its own, PermissionError",
        ),
    ],
)
def test_each_end_has_its_exit_code(outputs, error, code, said):
    _, err = outputs("ascii")

    def work():
        raise error

    assert guarded(work, name="it", kept="Nothing is lost.") == code
    assert said in err.written()
    assert ("Traceback" in err.written()) == (code == CRASHED)


def test_the_codes_are_apart():
    assert len({0, 1, REFUSED, 3, 4, CRASHED, INTERRUPTED, CLOSED}) == 8, (
        "3 and 4 are those of an unfinished sweep"
    )


class AnyCall:
    """A parser that takes any call."""

    @staticmethod
    def parse_args(arguments):
        return arguments


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("harness.cli", "_run"),
        ("harness.sweep.__main__", "_run"),
        ("harness.sweep.pack", "_run"),
        ("tests.verify.parity.__main__", "_run"),
        ("tests.verify.faults.__main__", "_run"),
        ("tests.verify.fuzz.__main__", "_run"),
        ("benchmarks.__main__", "_run"),
    ],
)
def test_an_error_of_any_command_has_an_exit_code_of_its_own(
    outputs, monkeypatch, module, name
):
    _, err = outputs("ascii")

    def faulty(*arguments):
        raise AttributeError("our fault")

    command = import_module(module)
    monkeypatch.setattr(command, name, faulty)
    for parser in ("parser", "_parser"):
        monkeypatch.setattr(command, parser, lambda: AnyCall, raising=False)
    assert command.main([]) == CRASHED
    assert "AttributeError: our fault" in err.written()


@pytest.mark.parametrize(
    "command",
    ["", "sweep", "verdict", "diff", "pack", "unpack", "calibrate", "export", "data"],
)
def test_help_names_the_exit_codes(capsys, command):
    with pytest.raises(SystemExit):
        cli.main([*command.split(), "--help"])
    out, _ = capsys.readouterr()
    assert str(CRASHED) in out
    assert str(INTERRUPTED) in out


@pytest.fixture
def claim(plant):
    """The file of a claim with signs beyond Latin-1 in its title."""
    file = plant("signs", registered=False, EFFECT=-0.3)
    text = file.read_text(encoding="utf-8")
    old, new = (
        'f"Toy {',
        'f"\N{MINUS SIGN}\N{GREEK SMALL LETTER LAMDA}\N{EM DASH} Toy {',
    )
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")
    return file


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["power", "--plot"],
        ["plan", "--backend", "numpy"],
        ["data"],
        ["sweep", "--help"],
        ["verdict", "nosuch\N{MINUS SIGN}claim"],
        ["diff", "a\N{MINUS SIGN}", "b"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_ends_as_ever_whatever_the_encoding(
    outputs, claim, encoding, command
):
    out, err = outputs(encoding)
    try:
        code = cli.main(command)
    except SystemExit as ended:
        code = ended.code
    assert code == (REFUSED if command[0] in ("verdict", "diff") else 0), err.written()
    assert out.written() or err.written()
    assert Kind.SUPPORTED not in err.written()
