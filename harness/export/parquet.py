"""The raw measurements as one Parquet table: a row per claim, quantity, configuration, backend,
seed and element.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import InvalidInput
from harness.experiment import canonical
from harness.export.extra import imported
from harness.sweep import Cell

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = {
    "claim": "Id of the claim that the cell is measured for; claims share cells, and each has its "
    "own rows.",
    "computation": "What was computed: module or paper, and function.",
    "quantity": "Name of the measured array.",
    "configuration": "Canonical JSON of the point of the grid.",
    "backend": "torch, jax or numpy.",
    "stream": "Names the seeds; with seed, backend and configuration it fixes every random number.",
    "dtype": "Precision that the backend was asked for.",
    "device": "Device class: cpu or cuda.",
    "cell": "SHA-256 of the request and its circumstances; the name of the cell's file in the "
    "store.",
    "seed": "Number of the replicate: data draw, initial weights and order of minibatches "
    "together.",
    "index": "Position in the array of one seed, from 0; empty for a single number.",
    "value": "The measured number; NaN and infinities as they are. Truth values are 0 and 1.",
}
"""Column -> what it holds; the texts are the field metadata of the file."""


@dataclass(frozen=True)
class Block:
    """One measured array of one cell for one claim: the texts its rows share, its seeds and its
    numbers.

    Args:
        labels: of the columns claim to cell, in order.
        seeds: (S,) replicate numbers.
        values: (S, ...) float64.
    """

    labels: tuple[str, ...]
    seeds: tuple[int, ...]
    values: np.ndarray


def blocks(cells: Mapping[str, Sequence[Cell]]) -> Iterator[Block]:
    """The arrays of the cells, in order.

    Args:
        cells: claim id -> its cells.

    Raises:
        InvalidInput: for an array of complex numbers.
        CellCorrupted: for a cell file that was altered since it was found.
    """
    for claim, own in cells.items():
        for cell in own:
            request, device = cell.request, cell.circumstances.device
            for quantity, array in cell.arrays.items():
                if np.iscomplexobj(array):
                    raise InvalidInput(
                        f"{quantity!r} of claim {claim!r} is complex; the table holds real numbers."
                    )
                configuration = canonical(request.configuration)
                labels = (
                    claim,
                    request.computation,
                    quantity,
                    configuration,
                    request.backend,
                    request.stream,
                )
                values = np.asarray(array, dtype=np.float64)
                yield Block(
                    (*labels, request.dtype, device, cell.key),
                    request.replicates,
                    values,
                )


def measurements(cells: Mapping[str, Sequence[Cell]]) -> bytes:
    """The Parquet file.

    Args:
        cells: claim id -> its cells.

    Returns:
        The same bytes for the same cells and version of pyarrow.

    Raises:
        InvalidInput: if pyarrow is missing, or for an array of complex numbers.
    """
    parquet = imported("pyarrow.parquet", "Parquet")
    target = io.BytesIO()
    parquet.write_table(
        table(list(blocks(cells))), target, compression="zstd", write_page_checksum=True
    )
    return target.getvalue()


def table(found: Sequence[Block]) -> "pa.Table":
    """The blocks one after another as an Arrow table, with the columns of COLUMNS."""
    arrow = imported("pyarrow", "Parquet")
    sizes = [block.values.size for block in found]
    names = list(COLUMNS)
    columns = {
        name: _labels(arrow, [block.labels[place] for block in found], sizes)
        for place, name in enumerate(names[:9])
    }
    columns["seed"] = arrow.array(_joined([_seeds(block) for block in found], np.int32))
    columns["index"] = _indices(arrow, found)
    columns["value"] = arrow.array(
        _joined([block.values.ravel() for block in found], np.float64)
    )
    fields = [
        arrow.field(name, columns[name].type, False, {"description": COLUMNS[name]})
        for name in names
    ]
    return arrow.table([columns[name] for name in names], schema=arrow.schema(fields))


def _labels(arrow: ModuleType, texts: Sequence[str], sizes: Sequence[int]) -> Any:
    """A text column in which each text is repeated as often as its block has rows."""
    known = list(dict.fromkeys(texts))
    place = {text: code for code, text in enumerate(known)}
    codes = np.repeat(np.array([place[text] for text in texts], dtype=np.int32), sizes)
    return arrow.DictionaryArray.from_arrays(codes, arrow.array(known, arrow.string()))


def _seeds(block: Block) -> np.ndarray:
    each = block.values.size // len(block.seeds)
    return np.repeat(np.array(block.seeds, dtype=np.int32), each)


def _indices(arrow: ModuleType, found: Sequence[Block]) -> Any:
    """For each row its position in the array of one seed, as a list of integers."""
    shapes = [block.values.shape[1:] for block in found]
    grids = [
        np.tile(np.argwhere(np.ones(shape, dtype=bool)).ravel(), len(block.seeds))
        for block, shape in zip(found, shapes, strict=True)
    ]
    lengths = np.repeat(
        np.array([len(shape) for shape in shapes], dtype=np.int32),
        [b.values.size for b in found],
    )
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return arrow.ListArray.from_arrays(
        arrow.array(offsets), arrow.array(_joined(grids, np.int32))
    )


def _joined(parts: Sequence[np.ndarray], dtype: Any) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype, copy=False)
