"""What every command does around its work: signs that any terminal can show, and its exit code.

    0 done, nothing found      130 interrupted
    1 done, with a finding     141 what read the output went away
    2 a bad call or input       70 an error of this project's own, with its traceback

A command may have codes of its own beside these; its `--help` names them.
"""

import codecs
import os
import sys
import traceback
import unicodedata
from collections.abc import Callable

from harness.errors import ClaimsError

DONE, FOUND, REFUSED, CRASHED, INTERRUPTED, CLOSED = 0, 1, 2, 70, 130, 141
CODES = (
    f"Exit code: {DONE} nothing found; {FOUND} a finding; {REFUSED} a bad call or input; {CRASHED} "
    "an error of this "
    f"program's own, with its traceback; {INTERRUPTED} interrupted; {CLOSED} what read the output "
    "went away."
)
KEPT = "Cells done so far are kept; start again to go on."
PLAIN = "ntk-claims-plain"
"""Name under which Python's codecs find `plain`."""
SIGNS = {
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{PLUS-MINUS SIGN}": "+/-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{MIDDLE DOT}": "*",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{ALMOST EQUAL TO}": "~",
    "\N{NOT EQUAL TO}": "!=",
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{LOWER ONE EIGHTH BLOCK}": "1",
    "\N{LOWER ONE QUARTER BLOCK}": "2",
    "\N{LOWER THREE EIGHTHS BLOCK}": "3",
    "\N{LOWER HALF BLOCK}": "4",
    "\N{LOWER FIVE EIGHTHS BLOCK}": "5",
    "\N{LOWER THREE QUARTERS BLOCK}": "6",
    "\N{LOWER SEVEN EIGHTHS BLOCK}": "7",
    "\N{FULL BLOCK}": "8",
}
"""What stands for a sign where the output's encoding lacks it; a bar of `power --plot` becomes its
eighths.
"""


def plain(text: str) -> str:
    r"""Text in ASCII: signs by SIGNS, letters without their accents, the rest by code point.

    No number changes.

    >>> plain("\N{MINUS SIGN}0.3 \N{PLUS-MINUS SIGN} 0.1\N{NO-BREAK SPACE}s, Erd\u0151s, \u5f20")
    '-0.3 +/- 0.1 s, Erdos, \\u5f20'
    """
    return "".join(SIGNS.get(sign) or _ascii(sign) for sign in text)


def _ascii(sign: str) -> str:
    """One sign: what it is composed of, if that is ASCII; else its code point, as in Python."""
    letters = "".join(
        part
        for part in unicodedata.normalize("NFKD", sign)
        if not unicodedata.combining(part)
    )
    return (
        letters
        if letters and letters.isascii()
        else sign.encode("ascii", "backslashreplace").decode("ascii")
    )


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end


codecs.register_error(PLAIN, _replace)


def show_all_signs() -> None:
    """Lets standard output and standard error write what their encoding lacks as `plain` does,
    instead of failing.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if (
            reconfigure is not None
        ):  # none in a stream that a test or a notebook put in its place
            reconfigure(errors=PLAIN)


def guarded(work: Callable[[], int], *, name: str = "", kept: str = KEPT) -> int:
    """Does a command's work; the exit code.

    Args:
        work: parses the call, does what it asks and gives the exit code.
        name: stands before the message of a bad call.
        kept: is said after an interruption.
    """
    show_all_signs()
    try:
        code = work()
        sys.stdout.flush()
        return code
    except ClaimsError as error:
        print(f"{name}: {error}" if name else error, file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print(f"\nInterrupted. {kept}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # what read our output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
    except Exception as error:
        traceback.print_exc()
        print(_crashed(name or "This program", error), file=sys.stderr)
        return CRASHED


def _crashed(name: str, error: Exception) -> str:
    return (
        f"{name} ended with an error of its own, {type(error).__name__}, so nothing was found and "
        "nothing refuted "
        f"(exit code {CRASHED}). Report it with the traceback above."
    )
