"""`ntk-claims register`, `amend`, `withdraw`: what a claim fixes in advance, and its changes."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import registration, studies
from harness.commands.options import (
    added,
    asked,
    chosen_id,
    claims_options,
    discovered,
    family_sizes,
    matching,
    selected,
    selected_one,
    store_option,
)
from harness.commands.seen import seen
from harness.errors import InvalidInput
from harness.numerals import counted
from harness.registration.rules import objections
from harness.study import Study

FIRST_REASON = "Registered before the first run."


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the three commands to the parser."""
    _register(commands)
    command = added(
        commands,
        "amend",
        "Amends the registration of a claim to what its file says now. The change is appended to "
        "the claim's log, with date, reason and whether results had been seen, and stands in "
        "every report from then on.",
        "ntk-claims amend vyas2022/gap_across_width "
        '--reason "20 seeds, the power was computed for the wrong sd" --results-seen no',
    )
    _options(command, required=True)
    command.set_defaults(run=amend)
    command = added(
        commands,
        "withdraw",
        "Takes a registered claim back. Its record and its log stay; `list` and every report name "
        "it as withdrawn, whether its file is still there or not. It still counts in its family. "
        "`amend` takes it up again.",
        'ntk-claims withdraw vyas2022/gap_across_width --reason "The gate cannot be met."',
    )
    _options(command, required=False)
    command.set_defaults(run=withdraw)


def _register(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    command = added(
        commands,
        "register",
        "Registers claims: statement, grids, seeds, hypotheses, margins, controls, gates and the "
        "code of the effects go to claims/registrations. A run calls a claim BROKEN that differs "
        "from what is registered. Refused: a claim that is registered (amend it), has fewer than "
        "10 replicates, is decided with probability below 0.9 (see ntk-claims power), or has a "
        "rule that its bounds keep from coming out SUPPORTED or REFUTED. Refused, too, unless "
        "--results-seen yes is said: a claim of which the store has cells, or a report or "
        "verdicts.toml a verdict. To try a claim before, on other seeds: ntk-claims rehearse.",
        "ntk-claims register vyas2022/gap_across_width",
    )
    _options(
        command,
        "claims to register (default: all that are not registered)",
        required=False,
        reason=FIRST_REASON,
    )
    command.add_argument(
        "--schema",
        action="store_true",
        help="print the JSON Schema of a registration, do no more",
    )
    adopt = "take registrations of before there was a chain over into chain.jsonl, and do no more"
    command.add_argument("--adopt", action="store_true", help=adopt)
    command.set_defaults(run=register)


def _options(
    command: argparse.ArgumentParser,
    which: str = "the claim, by a part that no other's id has",
    *,
    required: bool,
    reason: str = "",
) -> None:
    claims_options(command, which)
    command.add_argument(
        "--reason",
        required=not reason,
        default=reason,
        help="why, for the readers of the report"
        + (f" (default: {reason})" if reason else ""),
    )
    command.add_argument(
        "--results-seen",
        choices=("yes", "no"),
        default="no",
        required=required,
        help="whether results of this claim had been seen by then"
        + ("" if required else " (default: no)"),
    )
    store_option(command, "where cells are looked for that show results")


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
            f"{'; '.join(evidence)}, so results have been seen: say --results-seen yes."
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
