"""The README says what runs: its code block is executed, and its commands exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_code_of_the_readme_runs(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(block, {})
    errors = [
        float(number) for number in re.findall(r"\d\.\d+", capsys.readouterr().out)
    ]
    assert len(errors) == 10
    assert all(0.0 < error < 1.0 for error in errors)


def test_every_tox_environment_that_the_readme_names_is_defined():
    named = set(re.findall(r"tox run -e ([\w,-]+)", README))
    defined = (ROOT / "tox.ini").read_text(encoding="utf-8")
    # `tests` is the base environment [testenv] itself.
    assert named
    assert all(f"[testenv:{name}]" in defined for name in named - {"tests"})


def test_every_file_that_the_readme_links_is_there():
    links = [
        link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link
    ]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
