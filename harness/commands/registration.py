"""`ntk-claims register`, `amend`, `withdraw`: what a claim fixes in advance, and its changes."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import registration, studies
from harness.commands.options import (
    asked,
    chosen_id,
    claims_options,
    discovered,
    family_sizes,
    matching,
    selected,
    selected_one,
)
from harness.commands.seen import in_words, seen
from harness.errors import InvalidInput
from harness.numerals import counted
from harness.registration.rules import objections
from harness.session import STORE
from harness.study import Study

FIRST_REASON = "Registered before the first run."


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the three commands to the parser."""
    _register(
        commands.add_parser(
            "register", help="write down what a new claim fixes before it is run"
        )
    )
    _amend(
        commands.add_parser(
            "amend", help="write down a change of a registered claim, and why"
        )
    )
    _withdraw(
        commands.add_parser(
            "withdraw", help="take a registered claim back, and say why"
        )
    )


def _register(command: argparse.ArgumentParser) -> None:
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.description = (
        "Registers claims: statement, grids, seeds, hypotheses, margins, controls, gates and the "
        "code of the\n"
        "effects go to claims/registrations. A run calls a claim BROKEN that differs from what is "
        "registered.\n"
        "Refused: a claim that is registered (amend it), has fewer than 10 replicates, is decided "
        "with probability\n"
        "below 0.9 (see ntk-claims power), or has a rule that its bounds keep from coming out "
        "SUPPORTED or REFUTED.\n"
        "Refused, too, unless --results-seen yes is said: a claim of which the store has cells, or "
        "a report or\n"
        "verdicts.toml a verdict. To try a claim before, on other seeds: ntk-claims rehearse."
    )
    command.epilog = "Example: ntk-claims register vyas2022/gap_across_width"
    claims_options(command, "claims to register (default: all that are not registered)")
    command.add_argument(
        "--reason",
        default=FIRST_REASON,
        help=f"shown in the report (default: {FIRST_REASON})",
    )
    _options(command, required=False)
    command.add_argument(
        "--schema",
        action="store_true",
        help="print the JSON Schema of a registration, do no more",
    )
    adopt = "take registrations of before there was a chain over into chain.jsonl, and do no more"
    command.add_argument("--adopt", action="store_true", help=adopt)
    command.set_defaults(run=register)


def _amend(command: argparse.ArgumentParser) -> None:
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.description = (
        "Amends the registration of a claim to what its file says now. The change is appended to "
        "the claim's log,\n"
        "with date, reason and whether results had been seen, and stands in every report from then "
        "on."
    )
    command.epilog = (
        "Example: ntk-claims amend vyas2022/gap_across_width \\\n"
        '           --reason "20 seeds, the power was computed for the wrong sd" --results-seen no'
    )
    claims_options(command, "the claim, by a part that no other's id has")
    command.add_argument(
        "--reason", required=True, help="why, for the readers of the report"
    )
    _options(command, required=True)
    command.set_defaults(run=amend)


def _withdraw(command: argparse.ArgumentParser) -> None:
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.description = (
        "Takes a registered claim back. Its record and its log stay; `list` and every report name "
        "it as withdrawn,\n"
        "whether its file is still there or not. It still counts in its family. `amend` takes it "
        "up again."
    )
    command.epilog = (
        "Example: ntk-claims withdraw vyas2022/gap_across_width "
        '--reason "The gate cannot be met."'
    )
    claims_options(command, "the claim, by a part that no other's id has")
    command.add_argument(
        "--reason", required=True, help="why, for the readers of the report"
    )
    _options(command, required=False)
    command.set_defaults(run=withdraw)


def _options(command: argparse.ArgumentParser, required: bool) -> None:
    help_text = "whether results of this claim had been seen by then" + (
        "" if required else " (default: no)"
    )
    command.add_argument(
        "--results-seen",
        choices=("yes", "no"),
        default="no",
        required=required,
        help=help_text,
    )
    store = f"where cells are looked for that show results (default: {STORE})"
    command.add_argument("--store", type=Path, default=Path(STORE), help=store)


def register(options: argparse.Namespace) -> int:
    """Registers the claims; all of them, or none if one is refused."""
    if options.schema:
        sys.stdout.write(registration.json_schema())
        return 0
    folder = options.claims / registration.FOLDER
    if options.adopt:
        lines = registration.adopt(folder)
        claims = len({line.claim for line in lines})
        print(
            f"{counted(len(lines), 'line')} of {counted(claims, 'claim')} taken over into "
            f"{folder / registration.CHAIN}"
        )
        return 0
    chosen = [
        study
        for study in selected(options)
        if registration.read(folder, study.claim.id) is None
    ]
    _refuse_registered(options, [study.claim.id for study in chosen])
    if not chosen:
        print(f"Every claim below {options.claims} is registered.")
    sizes = family_sizes(options)
    _refuse(chosen, sizes)
    for study in chosen:
        _honest(study, options)
    for study in chosen:
        written = registration.register(
            study,
            folder,
            options.reason,
            options.results_seen == "yes",
            family=sizes[study.claim.family],
        )
        print(f"registered {study.claim.id} {written.digest[:12]}, {written.date}")
    for one in _unclaimed(options.claims):
        print(f"{one.claim}: {one.words}")
    return 0


def amend(options: argparse.Namespace) -> int:
    """Amends the registration of one claim."""
    study = selected_one(options, "An amendment")
    _honest(study, options)
    folder = options.claims / registration.FOLDER
    written = registration.amend(
        study,
        folder,
        options.reason,
        options.results_seen == "yes",
        family=family_sizes(options)[study.claim.family],
    )
    entry = written.history[-1]
    print(
        f"amended {study.claim.id} {str(entry.before)[:12]} -> {entry.after[:12]}, {written.date}"
    )
    for change in entry.changed:
        print(f"  {registration.in_words([change])}")
    return 0


def withdraw(options: argparse.Namespace) -> int:
    """Withdraws one claim; results that can be found somewhere have been seen, whatever is said."""
    known = discovered(options)
    without_file = [
        one.claim
        for one in _unclaimed(options.claims)
        if one.claim != registration.CHAIN
    ]
    claim = chosen_id(options, [*known, *without_file], "A withdrawal")
    evidence = (
        seen(known[claim], options.claims, options.store) if claim in known else []
    )
    was_seen = options.results_seen == "yes" or bool(evidence)
    written = registration.withdraw(
        options.claims / registration.FOLDER, claim, options.reason, was_seen
    )
    print(f"withdrawn {claim} {written.digest[:12]}, {written.date}")
    return 0


def _unclaimed(claims: Path) -> tuple[registration.Unclaimed, ...]:
    known = [study.claim.id for study in studies.discover(claims).values()]
    return registration.unclaimed(claims / registration.FOLDER, known)


def _refuse(chosen: Sequence[Study], sizes: Mapping[str, int]) -> None:
    against = {
        study.claim.id: found
        for study in chosen
        if (found := objections(study, sizes[study.claim.family]))
    }
    if against:
        lines = [
            f"Claim {claim!r} cannot be registered: {'; '.join(texts)}."
            for claim, texts in against.items()
        ]
        raise InvalidInput("\n".join(lines))


def _honest(study: Study, options: argparse.Namespace) -> None:
    """A result that can be found is one that was seen."""
    if options.results_seen == "yes":
        return
    if evidence := seen(study, options.claims, options.store):
        raise InvalidInput(
            f"{in_words(evidence)}, so results have been seen: say --results-seen yes."
        )


def _refuse_registered(options: argparse.Namespace, chosen: Sequence[str]) -> None:
    """Raises InvalidInput for a part of an id that names registered claims alone."""
    for part in asked(options):
        named = matching(discovered(options), part)
        if not set(named) & set(chosen):
            raise InvalidInput(
                f"Claim {named[0]!r} is registered already; amend it: ntk-claims amend {named[0]} "
                "--reason "
                '"..." --results-seen yes|no'
            )
