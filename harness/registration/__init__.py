"""Registration: what a claim fixes before it runs, its digest, and the history of its changes.

    claim file --ClaimRecord.of--> record --register, amend--> claims/registrations --check--> "" or what differs

The record's format is published as `schema.json` beside this file (`ntk-claims register --schema` prints it).
"""

from harness.registration.changes import Change, in_words
from harness.registration.ledger import FOLDER, Entry, Registered, amend, check, read, register
from harness.registration.record import ClaimRecord, Registration, json_schema

__all__ = [
    "FOLDER",
    "Change",
    "ClaimRecord",
    "Entry",
    "Registered",
    "Registration",
    "amend",
    "check",
    "in_words",
    "json_schema",
    "read",
    "register",
]
