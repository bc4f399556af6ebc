"""The workflow files give nothing away: no secrets, read-only permissions, and no code of strangers
on our machines.
"""

import configparser
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
HOSTED = re.compile(r"^(ubuntu|macos|windows)-")
PINNED = re.compile(r"actions/[\w-]+@[0-9a-f]{40}$")


def loaded(file):
    """The workflow; YAML 1.1 reads the key `on` as true."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content | {"on": content.pop(True)}


def events(workflow):
    return set(workflow["on"])


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def file(request):
    return request.param


@pytest.fixture
def workflow(file):
    return loaded(file)


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_are_workflows():
    assert {file.stem for file in FILES} >= {"ci", "nightly"}


def test_no_event_runs_a_forks_code_with_our_rights(workflow):
    assert not events(workflow) & {
        "pull_request_target",
        "workflow_run",
        "issue_comment",
        "repository_dispatch",
    }


def test_no_secret_is_named(file):
    assert "secrets." not in file.read_text(encoding="utf-8")
    assert "secrets[" not in file.read_text(encoding="utf-8")


def test_permissions_are_stated_and_read_only(workflow):
    stated = [
        workflow["permissions"],
        *(
            job["permissions"]
            for job in workflow["jobs"].values()
            if "permissions" in job
        ),
    ]
    for permissions in stated:
        assert isinstance(permissions, dict)
        assert set(permissions.values()) <= {"read", "none"}


def test_our_own_machines_run_no_pull_requests(workflow):
    runners = [job["runs-on"] for job in workflow["jobs"].values()]
    if not all(isinstance(label, str) and HOSTED.match(label) for label in runners):
        assert events(workflow) <= {"schedule", "workflow_dispatch"}


def test_checkouts_leave_no_token_behind(workflow):
    checkouts = [
        step
        for step in steps(workflow)
        if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_actions_are_githubs_own_and_pinned(workflow):
    uses = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert uses
    for action in uses:
        assert PINNED.match(action), (
            f"{action} is no commit of an action of GitHub's own"
        )


def test_no_text_of_a_stranger_becomes_a_command(workflow):
    """What a pull request can word itself, such as its title or branch, is no part of a script."""
    for step in steps(workflow):
        inside = re.findall(r"\$\{\{(.*?)\}\}", step.get("run", ""))
        assert not [
            text for text in inside if "github." in text or "inputs." in text
        ], step["run"]


def test_jobs_end(workflow):
    assert all(job["timeout-minutes"] <= 600 for job in workflow["jobs"].values())


def test_the_claims_of_pull_requests_run_on_locked_versions():
    scripts = "\n".join(
        step.get("run", "")
        for step in steps(loaded(ROOT / ".github" / "workflows" / "ci.yml"))
    )
    assert "tox run -e claims-locked" in scripts
    assert not re.search(r"tox run -e claims\b(?!-locked)", scripts)


def test_one_run_at_a_time(workflow):
    assert workflow["concurrency"]["group"]


def environments(workflow):
    """The tox environments that the jobs run; one that a matrix names stands in the matrix."""
    scripts = "\n".join(step.get("run", "") for step in steps(workflow))
    named = {
        name
        for found in re.findall(r"tox (?:run|exec) -e (\S+)", scripts)
        for name in found.split(",")
    }
    jobs = workflow["jobs"].values()
    listed = (
        job.get("strategy", {}).get("matrix", {}).get("environment", []) for job in jobs
    )
    return named - {'"$ENVIRONMENT"'} | {name for names in listed for name in names}


def test_every_environment_that_a_workflow_runs_is_there_and_every_night_runs_what_is_slow():
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "tox.ini", encoding="utf-8")
    for file in FILES:
        assert {f"testenv:{name}" for name in environments(loaded(file))} <= set(
            settings
        ), file.name
    nightly = environments(loaded(ROOT / ".github" / "workflows" / "nightly.yml"))
    assert nightly >= {
        "gpu-parity",
        "full-cuda",
        "faults",
        "fuzz",
        "ray",
        "lowest",
        "audit-deps",
    }


GROUPS = ("reviewer", "developer", "ci", "nightly", "maintenance")


def test_every_environment_says_who_needs_it():
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "tox.ini", encoding="utf-8")
    environments = [name for name in settings if name.startswith("testenv")]
    for name in environments:
        group, _, words = settings[name].get("description", "").partition(" - ")
        assert group in GROUPS, name
        assert 0 < len(words) <= 70, name
    defined = {name.removeprefix("testenv:") for name in environments} | {"tests"}
    labels = dict(
        line.split(" = ") for line in settings["tox"]["labels"].strip().splitlines()
    )
    assert labels.keys() == set(GROUPS)
    assert {name for named in labels.values() for name in named.split(", ")} <= defined


def test_every_file_that_an_environment_names_is_there():
    named = set(
        re.findall(
            r"(?:tests|benchmarks|fixtures|\.ci)/[\w./-]+",
            (ROOT / "tox.ini").read_text("utf-8"),
        )
    )
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_full_tier_waits_for_the_gpu_to_agree_with_the_cpu_and_is_judged_afterwards():
    """A step runs only if all before it went well, unless it says otherwise."""
    jobs = loaded(ROOT / ".github" / "workflows" / "nightly.yml")["jobs"]
    steps = jobs["full-tier"]["steps"]
    commands = [step.get("run", "") for step in steps]
    places = [
        next(i for i, command in enumerate(commands) if text in command)
        for text in ("-e gpu-parity", "python -m harness.sweep", "pytest claims")
    ]
    assert places == sorted(places)
    assert all("if" not in step for step in steps[: places[-1] + 1])


def test_what_the_night_computed_is_kept_whatever_comes_of_it():
    jobs = loaded(ROOT / ".github" / "workflows" / "nightly.yml")["jobs"]
    *_, pack, upload = jobs["full-tier"]["steps"]
    assert "ntk-claims pack" in pack["run"]
    assert upload["with"]["path"] == "reports/nightly"
    assert all(step["if"] == "${{ !cancelled() }}" for step in (pack, upload))


def test_the_night_waits_for_the_job_that_a_gpu_runner_takes():
    jobs = loaded(ROOT / ".github" / "workflows" / "nightly.yml")["jobs"]
    (wait,) = jobs["runner-is-there"]["steps"]
    assert f'select(.name == "{jobs["full-tier"]["name"]}")' in wait["run"]


LOCKS = sorted((ROOT / ".ci" / "locks").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]


def names(requirements):
    return {
        re.split(r"[\[<>=! ;]", text)[0].lower().replace("_", "-")
        for text in requirements
    }


def entries(lock):
    """The lines of each locked version: its name and version, and the hashes."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", "")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_every_locked_version_has_hashes_and_no_place():
    assert {lock.stem for lock in LOCKS} == {"ci", "lint", "types"}
    for lock in LOCKS:
        for entry in entries(lock):
            assert re.match(r"[a-z0-9.-]+==\S+ ", entry), entry
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
        assert "://" not in lock.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("lock", "extras"),
    [("types", ()), ("ci", ("torch", "jax", "export", "mlbench", "test"))],
)
def test_locks_hold_all_that_the_project_asks_for(lock, extras):
    asked = [
        *PROJECT["dependencies"],
        *(text for extra in extras for text in PROJECT["optional-dependencies"][extra]),
    ]
    assert names(asked) - {"ntk-claims"} <= names(
        entries(ROOT / ".ci" / "locks" / f"{lock}.txt")
    )


def test_the_locked_pytorch_is_the_one_of_the_recorded_verdicts():
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "tox.ini", encoding="utf-8")
    (pin,) = settings["testenv"]["deps"].split()
    assert any(
        entry.startswith(f"{pin} ")
        for entry in entries(ROOT / ".ci" / "locks" / "ci.txt")
    )
