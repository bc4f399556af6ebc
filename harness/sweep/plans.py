"""Plan files: a JSON list of requests, to be computed or packed."""

from pathlib import Path

from harness import strict_json
from harness.errors import InvalidInput
from harness.experiment import Request
from harness.sweep.cell import request_of


def read(plan: Path) -> list[Request]:
    """The requests of a plan file.

    Raises:
        InvalidInput: if it cannot be read, is no JSON list, or an entry is no request; names the
            entry.
    """
    try:
        records = strict_json.load(plan)
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"The plan {plan} cannot be read: {error}. It must be a JSON list of requests."
        ) from error
    if not isinstance(records, list):
        raise InvalidInput(
            f"The plan {plan} must be a JSON list of requests; it is {type(records).__name__}."
        )
    requests = []
    for index, record in enumerate(records):
        try:
            requests.append(request_of(record))
        except InvalidInput as error:
            raise InvalidInput(f"Request {index} of the plan {plan}: {error}") from None
    return requests
