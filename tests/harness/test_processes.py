"""No process outlives its test, also when the test fails."""

import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")
@pytest.mark.parametrize(
    "ending",
    ["assert False", "process.wait(timeout=0.1)", "process.kill(); process.wait()"],
)
def test_what_a_test_started_ends_with_it(pytester, wait_for, alive, ending):
    pytester.makeini(
        "[pytest]\naddopts = --import-mode=importlib -p no:hypothesispytest"
    )
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    pytester.makepyfile(
        f"""
        from pathlib import Path

        def test_it(start, wait_for):
            child = Path("{pytester.path}", "child")
            process = start(["sh", "-c", f"sleep 600 & echo $! > new; mv new {{child}}; wait"])
            wait_for(child.exists)
            {ending}
        """
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider")
    child = int((pytester.path / "child").read_text())
    wait_for(lambda: not alive(child), seconds=10)
