"""Registration: what a claim fixes before it runs, its digest, and the history of its changes.

    claim file --ClaimRecord.of--> record --register, amend--> claims/registrations --check--> "" or
    what differs

The record's format is published as `schema.json` beside this file (`ntk-claims register --schema`
prints it).
"""

from harness.registration.chain import CHAIN
from harness.registration.changes import Change, fresh_seeds, in_words
from harness.registration.ledger import (
    FOLDER,
    WITHDRAWN,
    Entry,
    Registered,
    check,
    read,
)
from harness.registration.moment import Moment, committed_at, is_ancestor, now
from harness.registration.record import ClaimRecord, Registration, json_schema
from harness.registration.roll import Unclaimed, family_sizes, unclaimed
from harness.registration.rules import REHEARSAL
from harness.registration.writing import adopt, amend, register, withdraw

__all__ = [
    "CHAIN",
    "FOLDER",
    "REHEARSAL",
    "WITHDRAWN",
    "Change",
    "ClaimRecord",
    "Entry",
    "Moment",
    "Registered",
    "Registration",
    "Unclaimed",
    "adopt",
    "amend",
    "check",
    "committed_at",
    "family_sizes",
    "fresh_seeds",
    "in_words",
    "is_ancestor",
    "json_schema",
    "now",
    "read",
    "register",
    "unclaimed",
    "withdraw",
]
