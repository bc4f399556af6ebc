"""The scripts of docs/recipes do what docs/operations.md says: their commands run here, on plans of
small cells.
"""

import json
import re
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from harness import sweep
from harness.experiment import Request
from harness.sweep import Store

ROOT = Path(__file__).parents[3]
SLURM = ROOT / "docs" / "recipes" / "slurm.sh"
MATRIX = yaml.safe_load(
    (ROOT / "docs" / "recipes" / "matrix.yml").read_text(encoding="utf-8")
)
WORKFLOWS = ROOT / ".github" / "workflows"
POINTS = 9
COMPUTATIONS = """
import time
from pathlib import Path

import numpy as np


def draw(backend, configuration, replicates, stream):
    with Path("calls").open("a") as log:
        log.write(f"{configuration['point']}\\n")
    while configuration["waits"] and not Path("go").exists():
        time.sleep(0.05)
    generator = np.random.default_rng(configuration["point"])
    return {"draw": generator.standard_normal((len(replicates), 3))}
"""


@pytest.fixture
def plan(tmp_path):
    """Writes a plan of nine cells, of which some wait for the file `go`; the requests in it."""
    (tmp_path / "claims" / "toy").mkdir(parents=True)
    (tmp_path / "claims" / "toy" / "computations.py").write_text(COMPUTATIONS)

    def write(waiting=()):
        requests = [
            Request(
                "toy/draw",
                {"point": p, "waits": p in waiting},
                (0, 1),
                "test",
                "numpy",
                "float64",
            )
            for p in range(POINTS)
        ]
        (tmp_path / "plan.json").write_text(
            json.dumps([asdict(request) for request in requests])
        )
        return requests

    return write


def calls(tmp_path):
    log = tmp_path / "calls"
    return Counter(map(int, log.read_text().split())) if log.exists() else Counter()


def each_once_and_valid(store, requests, failed=0):
    """Every request has its one cell, which is read and verified, and beside them lie only records
    of failures.
    """
    found = sweep.recorded(requests, store)
    cells, failures = (
        [p for p in (store.path / n).rglob("*") if p.is_file()]
        for n in ("cells", "failures")
    )
    return (
        found.counts["cached"] == len(cells) == len(requests)
        and len(failures) == failed
        and found.notices == ()
    )


def task(start, tmp_path, number, **environment):
    """A task of the array, as Slurm would start it."""
    variables = {
        "SLURM_ARRAY_TASK_ID": str(number),
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SHARDS": "2",
        "DEVICE": "cpu",
    }
    return start(["bash", str(SLURM)], **variables | environment)


def test_tasks_of_the_array_at_once_on_one_store_make_the_whole(plan, start, tmp_path):
    requests = plan()
    tasks = [task(start, tmp_path, number) for number in (1, 2)]
    for process in tasks:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
    assert each_once_and_valid(Store(tmp_path / "store"), requests)
    assert calls(tmp_path) == Counter(range(POINTS))


def test_a_task_computes_its_shard_alone(plan, start, tmp_path):
    plan()
    assert task(start, tmp_path, 2).wait(timeout=60) == 0
    assert calls(tmp_path) == Counter(range(1, POINTS, 2))


def test_a_task_whose_time_is_up_is_queued_again_and_goes_on(plan, start, tmp_path):
    requests = plan(waiting=[POINTS - 1])
    (tmp_path / "scontrol").write_text('#!/bin/sh\necho "$@" >> requeued\n')
    (tmp_path / "scontrol").chmod(0o755)
    again = {"SLURM_ARRAY_JOB_ID": "77", "SHARDS": "1"}
    assert task(start, tmp_path, 1, MINUTES="0.15", **again).wait(timeout=60) == 3
    assert (tmp_path / "requeued").read_text() == "requeue 77_1\n"
    (tmp_path / "go").touch()
    assert task(start, tmp_path, 1, **again).wait(timeout=60) == 0
    assert (tmp_path / "requeued").read_text() == "requeue 77_1\n"
    # the cell that the end of the slice cut
    assert each_once_and_valid(Store(tmp_path / "store"), requests, failed=1)
    assert calls(tmp_path) == Counter([*range(POINTS), POINTS - 1])


def test_two_runs_of_one_plan_at_once_leave_each_cell_once(plan, start, tmp_path):
    requests = plan()
    command = [
        sys.executable,
        "-m",
        "harness.sweep",
        "plan.json",
        "--store",
        "store",
        "--device",
        "cpu",
    ]
    for process in [start(command), start([*command, "--workers", "2"])]:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        assert output.splitlines()[-1].startswith(f"cells: {POINTS} of {POINTS} done ")
    assert each_once_and_valid(Store(tmp_path / "store"), requests)


def test_the_script_says_how_many_shards_there_are_as_often_as_slurm_does():
    text = SLURM.read_text(encoding="utf-8")
    (array,) = re.findall(r"^#SBATCH --array=1-(\d+)$", text, re.MULTILINE)
    assert re.findall(r"SHARDS:-(\d+)", text) == [array]
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert f"`--shard ${{SLURM_ARRAY_TASK_ID}}/{array}`" in page


def steps(job, shard=None):
    """The commands of a job of the matrix, without the installation of the project."""
    commands = [step["run"] for step in MATRIX["jobs"][job]["steps"] if "run" in step]
    assert all("pip install" not in command for command in commands[1:])
    return [
        command.replace("${{ matrix.shard }}", str(shard)) for command in commands[1:]
    ]


def test_the_jobs_of_the_matrix_compute_and_judge_a_claim(
    plant, pytester, start, tmp_path
):
    shards = MATRIX["jobs"]["cells"]["strategy"]["matrix"]["shard"]
    assert shards == list(range(1, MATRIX["env"]["SHARDS"] + 1))
    variables = {
        **{name: str(value) for name, value in MATRIX["env"].items()},
        "BACKENDS": "numpy",
        "SHARDS": "2",
    }
    plant("toy", BLOCK=5)
    for number in (1, 2):  # two are as good as four, and faster
        for command in steps("cells", number):
            done = start(
                ["bash", "-euc", f"cd {pytester.path}; {command}"], **variables
            )
            output, _ = done.communicate(timeout=60)
            assert done.returncode == 0, output
        (pytester.path / "store").rename(tmp_path / f"store of {number}")
    for command in steps("verdicts"):
        done = start(["bash", "-euc", f"cd {pytester.path}; {command}"], **variables)
        output, _ = done.communicate(timeout=60)
        assert done.returncode == 0, output
    assert "SUPPORTED           toy/toy (quick)" in output


def test_the_actions_of_the_matrix_are_pinned_as_in_the_workflows():
    used = {
        step["uses"]
        for job in MATRIX["jobs"].values()
        for step in job["steps"]
        if "uses" in step
    }
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used)
    known = set(
        re.findall(
            r"uses: (\S+)",
            "".join(file.read_text("utf-8") for file in WORKFLOWS.glob("*.yml")),
        )
    )
    ours = {action.split("@")[0] for action in known}
    assert {action for action in used if action.split("@")[0] in ours} <= known
