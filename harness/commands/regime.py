"""`ntk-claims regime`: is a network of one's own in the kernel regime?"""

import argparse
import sys
from pathlib import Path
from typing import Any

from harness import report, sweep
from harness.backends import DEVICES
from harness.commands.options import added
from harness.regime import page, study
from harness.regime.recipe import STEPS, Recipe
from harness.regime.study import Asked
from harness.report.values import plain
from harness.verdict import Kind

STORE = ".ntk-claims/regime"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "regime",
        "Trains your network from several initialisations, and holds against a margin: how far its "
        "kernel differs from one initialisation to another, how far training moves it, and how far "
        "the trained function lies from kernel regression with the initial kernel. Cells that were "
        "computed are kept; start it again to go on.",
        "ntk-claims regime net.py --data fashion-mnist --report report",
        "ntk-claims regime net.py:make --data mine.npz --widths 64,256,1024 --seeds 20",
        "ntk-claims regime net.py --data mine.npz --optimizer adam --rate 0.001 --steps 500",
    )
    command.add_argument(
        "file",
        metavar="FILE.py[:name]",
        help="file, and the function in it that makes the network",
    )
    command.add_argument(
        "--data",
        required=True,
        metavar="NAME|FILE.npz",
        help="a data set of ntk-claims, or an npz with x and y",
    )
    command.add_argument(
        "--backend",
        choices=("torch", "jax", "both"),
        help="default: the first that the network is for",
    )
    command.add_argument(
        "--seeds", type=int, default=10, help="initialisations (default: 10)"
    )
    command.add_argument(
        "--margin",
        type=float,
        default=0.1,
        help="relative change that still counts as none (default: 0.1)",
    )
    command.add_argument(
        "--width", type=int, metavar="N", help="default: that of the function"
    )
    command.add_argument(
        "--widths", type=numbers, default=(), metavar="N,N", help="ask how it falls"
    )
    command.add_argument(
        "--sizes",
        type=numbers,
        default=(),
        metavar="N,N",
        help="numbers of training samples, for the exponents of the test loss",
    )
    _training(command)
    _running(command)
    command.set_defaults(run=run)


def _training(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("training")
    group.add_argument(
        "--samples", type=int, metavar="N", help="to train on (default: 128)"
    )
    group.add_argument("--test", type=int, metavar="N", help="to predict (default: 64)")
    group.add_argument("--optimizer", choices=("sgd", "adam"), default="sgd")
    group.add_argument(
        "--rate",
        type=float,
        help="learning rate (default: of SGD half the edge of stability, of Adam 0.001)",
    )
    group.add_argument("--momentum", type=float, default=0.0)
    group.add_argument(
        "--batch-size", type=int, metavar="N", help="default: full batch"
    )
    group.add_argument(
        "--steps", type=int, default=STEPS, help=f"at most (default: {STEPS})"
    )
    group.add_argument(
        "--target-loss",
        type=float,
        metavar="LOSS",
        help="where training ends (default: a fifth of the loss of the best constant)",
    )
    group.add_argument(
        "--loss", choices=("squared", "cross-entropy"), default="squared"
    )


def _running(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print everything as JSON")
    command.add_argument(
        "--report", type=Path, metavar="FOLDER", help="write regime.html there"
    )
    command.add_argument(
        "--store",
        type=Path,
        default=Path(STORE),
        help=f"where cells are kept (default: {STORE})",
    )
    command.add_argument(
        "--device", default="auto", choices=DEVICES, help="default: auto"
    )
    command.add_argument("--workers", type=int, metavar="N", help="cells at a time")


def numbers(text: str) -> tuple[int, ...]:
    """Positive integers between commas.

    >>> numbers("64,256")
    (64, 256)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of integers, as in 64,256,1024"
        ) from None


def run(options: argparse.Namespace) -> int:
    """Checks the call, computes what is missing, and tells the answers; 1 if a control failed."""
    recipe = Recipe(
        optimizer=options.optimizer,
        rate=options.rate,
        momentum=options.momentum,
        batch_size=options.batch_size,
        steps=options.steps,
        target_loss=options.target_loss,
        loss=options.loss,
    )
    asked = Asked(
        options.file,
        options.data,
        backend=options.backend,
        seeds=options.seeds,
        margin=options.margin,
        recipe=recipe,
        train=options.samples,
        test=options.test,
        width=options.width,
        widths=options.widths,
        train_sizes=options.sizes,
    )
    if options.report is not None:
        report.prove_writable(options.report)
    planned = study.plan(asked)
    if not options.json:
        print("\n".join(_before(planned)), flush=True)
    result = study.compute(
        planned,
        options.store,
        device=options.device,
        workers=options.workers,
        progress=sweep.on(sys.stderr),
    )
    print(report.as_text(plain(result, {})) if options.json else _told(result))
    if options.report is not None:
        print(f"Report: {page.write(options.report, result)}", file=sys.stderr)
    return 1 if result["overall"]["kind"] == Kind.BROKEN else 0


def _before(planned: study.Plan) -> list[str]:
    """What will be measured."""
    made, sizes = planned.made, planned.sizes
    width = "" if planned.width is None else f" of width {planned.width}"
    shape = ", ".join(map(str, made.shape))
    return [
        f"{planned.maker.file.name}:{planned.maker.name}{width} is {made.kind} with "
        f"{made.parameters:,} parameters; it is given x of shape (N, {shape}).",
        f"{planned.data.describe()}; {sizes.train} to train on and {sizes.test} to test on, drawn "
        "by each seed.",
        f"Training: {planned.asked.recipe.describe()}.",
    ]


def _told(result: dict[str, Any]) -> str:
    """The answers in lines."""
    lines = [result["used"], "", result["overall"]["sentence"], ""]
    lines += [f"  ({a['question']}) {a['sentence']}" for a in result["answers"]]
    lines += [f"  (e) {trend['sentence']}" for trend in result["widths"]]
    if result["sizes"]:
        lines.append(f"  {result['sizes']['sentence']}")
    if result["accuracies"]:
        lines.append(f"  {result['accuracies']}")
    lines += ["", "Controls:"]
    for control in result["controls"]:
        came = "as planted" if control["passed"] else "FAILED"
        lines.append(
            f"  {control['name']}: must be {control['expected']}, {came}. "
            f"{control['sentence']}"
        )
    lines += ["", "Not covered:", *[f"  {line}" for line in result["not_covered"]]]
    return "\n".join(lines)
