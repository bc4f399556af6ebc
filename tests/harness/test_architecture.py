"""The shape of the code: who may import whom, what a worker needs installed, and how long things
may grow.
"""

import ast
import graphlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from harness import studies

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "harness").rglob("*.py"))
CLAIMS = sorted((ROOT / "claims").rglob("*.py"))

# The flow of the design: each part, and the parts it may import. What is not named here is one of
# those that start everything (the plugin, the commands, a session); they may import all, and nobody
# may import them.
MAY_IMPORT = {
    "errors": set(),
    "strict_json": set(),
    "console": {"errors"},
    "arrays": {"errors"},
    "seeds": set(),
    "numerals": set(),
    "networks": {"errors", "arrays", "seeds"},
    "datasets": {"errors", "seeds"},
    "kernels": {"errors", "arrays", "networks"},
    "backends": {"errors", "arrays", "seeds", "networks", "kernels"},
    "own": {"errors", "arrays", "seeds", "networks", "kernels", "backends"},
    "measurements": {"errors", "seeds", "networks", "datasets", "kernels", "backends"},
    "ridge": set(),
    "sources": {"errors"},
    "papers": {"errors", "sources"},
    "experiment": {"errors"},
    "plots": {"experiment", "statistics"},
    "gates": {"experiment"},
    "study": {"errors", "experiment", "plots"},
    "claim": {"errors", "experiment", "plots", "study"},
    "sweep": {
        "errors",
        "strict_json",
        "console",
        "sources",
        "papers",
        "experiment",
        "backends",
    },
    "shipped": {"errors", "numerals", "sweep"},
    "registration": {
        "errors",
        "strict_json",
        "sources",
        "papers",
        "study",
        "experiment",
        "statistics",
    },
    "statistics": {"errors", "study"},
    "verdict": {"errors", "numerals", "study", "statistics"},
    "reason": {"numerals", "study", "statistics", "verdict"},
    "judge": {"errors", "study", "experiment", "statistics", "verdict", "reason"},
    "report": {
        "errors",
        "strict_json",
        "numerals",
        "study",
        "plots",
        "experiment",
        "statistics",
        "verdict",
        "reason",
        "judge",
    },
    "export": {
        "errors",
        "numerals",
        "experiment",
        "sweep",
        "registration",
        "verdict",
        "report",
    },
}

STARTERS = {
    "studies",
    "session",
    "provenance",
    "plugin",
    "plugin_options",
    "cli",
    "commands",
    "regime",
}
FRAMEWORKS = {"torch", "jax"}
# What only the report, the statistics and the tests need; a worker on a GPU machine has NumPy and
# one framework.
LIGHT_SIDE = (
    "scipy",
    "statsmodels",
    "pytest",
    "altair",
    "vl_convert",
    "jinja2",
    "pooch",
    "pydantic",
    "jsonschema",
)

FRAMEWORK_PARTS = (
    "torch_backend",
    "torch_layers",
    "torch_autodiff",
    "torch_mapping",
    "torch_descent",
    "torch_passes",
    "torch_determinism",
    "jax_backend",
    "jax_layers",
    "jax_autodiff",
    "jax_descent",
    "torch_infinite",
    "jax_infinite",
    "torch_ridge",
    "jax_ridge",
)

OWN_PARTS = ("torch_functions", "jax_functions")
"""Of the user's own networks, where they are PyTorch modules or JAX pairs."""


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(
        ".__init__"
    )


MODULES = {name_of(path): path for path in SOURCES}


def nodes(tree, inside_functions):
    """All nodes, or only those that run on import."""
    for child in ast.iter_child_nodes(tree):
        yield child
        if inside_functions or not isinstance(
            child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        ):
            yield from nodes(child, inside_functions)


def imports(path, inside_functions=True):
    """Full names of what a file imports: harness modules, not the names taken out of them."""
    found = set()
    for node in nodes(ast.parse(path.read_text(encoding="utf-8")), inside_functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {
                member if member in MODULES else node.module for member in members
            }
    return found


def part(module):
    """harness.sweep.cell -> sweep."""
    return module.removeprefix("harness").removeprefix(".").split(".")[0]


def test_imports_go_one_way():
    wrong = [
        f"{module} imports {imported}"
        for module, path in MODULES.items()
        for imported in imports(path)
        if imported in MODULES
        and part(module) in MAY_IMPORT
        and part(imported) not in MAY_IMPORT[part(module)] | {part(module), ""}
    ]
    assert not wrong


def test_every_part_has_its_place_in_the_flow():
    assert {part(module) for module in MODULES} - {""} == MAY_IMPORT.keys() | STARTERS


def test_harness_does_not_know_the_claims():
    assert not [
        module
        for module, path in MODULES.items()
        if any(i.split(".")[0] == "claims" for i in imports(path))
    ]


def test_no_cycles_on_import():
    graph = {
        module: imports(path, inside_functions=False) & MODULES.keys()
        for module, path in MODULES.items()
    }
    # raises CycleError naming the cycle
    list(graphlib.TopologicalSorter(graph).static_order())


def test_frameworks_are_imported_in_their_backend_alone():
    found = {
        (path.relative_to(ROOT).as_posix(), framework)
        for path in SOURCES + CLAIMS
        for framework in {imported.split(".")[0] for imported in imports(path)}
        & FRAMEWORKS
    }
    assert found == {
        (f"harness/{folder}/{part}.py", part.split("_")[0])
        for folder, parts in (("backends", FRAMEWORK_PARTS), ("own", OWN_PARTS))
        for part in parts
    }


IMPORTER = """
import importlib, importlib.abc, importlib.util, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ImportError(f"{{name}} is not needed here")

sys.meta_path.insert(0, Blocked())
for name in {modules}:
    importlib.import_module(name)
for file in {files}:
    spec = importlib.util.spec_from_file_location("claim", file)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
"""


def imported_without(blocked, modules, files=()):
    """Imports in a fresh interpreter where the blocked packages cannot be imported."""
    code = IMPORTER.format(
        blocked=set(blocked), modules=list(modules), files=[str(file) for file in files]
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_harness_is_imported_without_any_framework():
    modules = [
        module
        for module in MODULES
        if not module.endswith((*FRAMEWORK_PARTS, *OWN_PARTS, "__main__"))
    ]
    imported_without(
        FRAMEWORKS | {"ray"},
        [module for module in modules if not module.endswith("ray_engine")],
    )


def test_a_worker_needs_neither_statistics_nor_report():
    modules = [
        module
        for module in MODULES
        if part(module) in {"", "measurements", "claim", "experiment", "sweep"}
    ]
    modules = [
        module for module in modules if not module.endswith(("__main__", "ray_engine"))
    ]
    found = studies.discover(ROOT / "claims").values()
    measures = [
        inspect.unwrap(experiment.measure)
        for study in found
        for experiment in study.experiments
    ]
    files = sorted({Path(inspect.getfile(measure)) for measure in measures})
    imported_without(
        FRAMEWORKS.union(LIGHT_SIDE),
        [*modules, "harness.backends.numpy_backend"],
        files,
    )


@pytest.mark.parametrize("framework", sorted(FRAMEWORKS))
def test_a_backend_needs_numpy_and_its_framework_alone(framework):
    """JAX brings SciPy itself."""
    pytest.importorskip(framework)
    others = (
        FRAMEWORKS.union(LIGHT_SIDE)
        - {framework}
        - ({"scipy"} if framework == "jax" else set())
    )
    imported_without(others, [f"harness.backends.{framework}_backend"])


def test_modules_are_named_after_what_they_do():
    assert not [
        path
        for path in SOURCES
        if path.stem.strip("_") in {"utils", "util", "helpers", "common", "misc"}
    ]


WITHOUT_A_SEED = {
    "samplewise": "a fixed probe of a function",
    "weights": "shapes alone, of any draw",
}


def test_whatever_is_drawn_depends_on_the_stream_and_the_replicate():
    """Else replicates share what they draw, or registered runs repeat explored ones, and the
    scatter is too small.
    """
    unseeded = {}
    for path in SOURCES + CLAIMS:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        axes = {
            ast.unparse(node.targets[0]): node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "seeds.derive",
                "seeds.generator",
            ):
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                if None in given:  # **axes
                    given |= {
                        keyword.arg: keyword.value
                        for keyword in axes[ast.unparse(given[None])].keywords
                    }
                own = {
                    name for name, value in given.items() if isinstance(value, ast.Name)
                }
                if not ("seed" in own or {"stream", "replicate"} <= own):
                    unseeded[ast.unparse(node.args[0]).strip("'")] = (
                        f"{path}:{node.lineno}"
                    )
    assert unseeded.keys() == WITHOUT_A_SEED.keys(), unseeded
