"""Cells are immutable, verified on every read, and never used when they are not what their name
promises.
"""

import errno
import hashlib
import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import CellCorrupted, InvalidInput, StoreError
from harness.experiment import Request, canonical
from harness.sweep import Circumstances, Failure, Provenance, Store, cell

REQUEST = Request(
    "harness.measurements:drift",
    {"width": 64},
    (0, 1),
    "registered",
    "torch",
    "float32",
)
CIRCUMSTANCES = Circumstances("cpu", "c0de", {"numpy": "2.4", "torch": "2.13"})
PROVENANCE = Provenance(
    "2026-01-01T00:00:00+00:00",
    1.5,
    1,
    "a processor",
    {"OMP_NUM_THREADS": "1"},
    "3.12.0",
)
ARRAYS = {
    "drift": np.array([0.25, 0.5]),
    "losses": np.arange(6, dtype=np.float32).reshape(2, 3),
}


@pytest.fixture
def notices():
    return []


@pytest.fixture
def store(tmp_path, notices):
    return Store(tmp_path / "store", notify=notices.append)


def put(
    store,
    request=REQUEST,
    circumstances=CIRCUMSTANCES,
    arrays=ARRAYS,
    provenance=PROVENANCE,
):
    return store.put(request, circumstances, provenance, arrays)


def resealed(content: bytes) -> bytes:
    return cell.MAGIC + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_cell_comes_back_as_it_was_put(store):
    path = put(store)
    found = store.find(REQUEST, CIRCUMSTANCES)
    assert found.path == path
    assert (found.request, found.circumstances, found.provenance) == (
        REQUEST,
        CIRCUMSTANCES,
        PROVENANCE,
    )
    assert list(found.arrays) == ["drift", "losses"]
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)
        assert not found.arrays[name].flags.writeable


def test_the_file_reads_as_documented(store):
    path = put(store)
    first, header, body = path.read_bytes().split(b"\n", 2)
    assert (
        first
        == b"ntk-claims-cell 1 "
        + hashlib.sha256(header + b"\n" + body).hexdigest().encode()
    )
    assert json.loads(header)["arrays"] == [
        ["drift", "<f8", [2]],
        ["losses", "<f4", [2, 3]],
    ]
    assert body == ARRAYS["drift"].tobytes() + ARRAYS["losses"].tobytes()
    assert (
        path == store.path / "cells" / REQUEST.digest[:2] / REQUEST.digest / path.name
    )


@pytest.mark.parametrize(
    "dtype", [bool, "i1", "u2", "<i4", ">i8", "f2", "<f4", ">f8", "c8", "c16"]
)
def test_every_numeric_dtype_and_memory_order_survives(store, dtype):
    array = np.asfortranarray(np.arange(12).reshape(2, 2, 3)).astype(dtype)[:, ::-1]
    put(store, arrays={"array": array, "none": array[:, :, :0]})
    arrays = store.find(REQUEST, CIRCUMSTANCES).arrays
    np.testing.assert_array_equal(arrays["array"], array)
    assert arrays["array"].dtype == array.dtype.newbyteorder("<")
    assert arrays["none"].shape == (2, 2, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"computation": "harness.measurements:spread"},
        {"configuration": {"width": 65}},
        {"replicates": (0, 2)},
        {"stream": "explored"},
        {"backend": "jax"},
        {"dtype": "float64"},
    ],
)
def test_any_change_of_the_request_is_another_cell(store, change):
    put(store)
    assert store.find(replace(REQUEST, **change), CIRCUMSTANCES) is None


@pytest.mark.parametrize(
    "change", [{"device": "cuda"}, {"code": "other"}, {"versions": {"numpy": "2.4"}}]
)
def test_any_change_of_the_circumstances_is_another_cell_in_the_same_folder(
    store, change
):
    other = replace(CIRCUMSTANCES, **change)
    first, second = put(store), put(store, circumstances=other)
    assert first != second
    assert first.parent == second.parent


def test_answers_come_from_all_circumstances_oldest_first(store):
    assert store.answers(REQUEST) == []
    put(store, circumstances=replace(CIRCUMSTANCES, device="cuda"))
    put(store, provenance=replace(PROVENANCE, started_at="2025-12-31T00:00:00+00:00"))
    assert [answer.circumstances.device for answer in store.answers(REQUEST)] == [
        "cpu",
        "cuda",
    ]


def test_the_first_writer_of_a_cell_wins(store):
    put(store)
    put(store, arrays={"drift": np.zeros(2)})
    assert store.find(REQUEST, CIRCUMSTANCES).arrays["drift"].tolist() == [0.25, 0.5]


@pytest.mark.parametrize("keep", [0, 5, 17, 82, 83, 300, -1])
def test_a_truncated_cell_is_set_aside_and_written_anew(store, notices, keep):
    path = put(store)
    path.write_bytes(path.read_bytes()[:keep])
    assert store.find(REQUEST, CIRCUMSTANCES) is None
    assert files(store.path) == [f"{path.stem}.corrupt"]
    assert len(notices) == 1
    assert notices[0].startswith(f"{path}: expected ")
    assert notices[0].endswith(
        f"It was set aside as {path.stem}.corrupt. It counts as missing and will be computed again."
    )
    put(store)
    assert store.find(REQUEST, CIRCUMSTANCES).arrays["drift"].tolist() == [0.25, 0.5]


SEALED = b"".join(cell.encode(REQUEST, CIRCUMSTANCES, PROVENANCE, ARRAYS))


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_no_altered_byte_goes_unnoticed(tmp_path_factory, position, change):
    store = Store(tmp_path_factory.getbasetemp() / "altered")
    path = store.file(REQUEST, CIRCUMSTANCES)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        SEALED[:position] + bytes([SEALED[position] ^ change]) + SEALED[position + 1 :]
    )
    with pytest.raises(CellCorrupted, match="expected"):
        cell.read(path)


def test_arrays_altered_after_the_cell_was_found_are_noticed(store):
    path = put(store)
    found = store.find(REQUEST, CIRCUMSTANCES)
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(
        CellCorrupted,
        match=r"expected content with SHA-256 '[0-9a-f]{64}', found '[0-9a-f]{64}'",
    ):
        _ = found.arrays


def test_a_cell_under_the_name_of_another_is_noticed(store, notices):
    other = replace(CIRCUMSTANCES, device="cuda")
    mine, its = put(store), put(store, circumstances=other)
    mine.rename(its)
    assert store.find(REQUEST, other) is None
    assert (
        f"{its}: expected the answer that its name promises, found another one's: {REQUEST.digest}"
        in notices[0]
    )


def test_a_cell_in_the_folder_of_another_request_is_noticed(store, notices):
    path, other = put(store), replace(REQUEST, stream="explored")
    store.folder(other).mkdir(parents=True)
    path.rename(store.folder(other) / path.name)
    assert store.answers(other) == []
    assert "found another one's" in notices[0]


SEALED_DIFFERENTLY = resealed(
    SEALED.partition(b"\n")[2].replace(b'"arrays":', b'"arrays": ', 1)
)
SEALED_TWICE = resealed(
    SEALED.partition(b"\n")[2].replace(b'{"arrays":', b'{"arrays":[],"arrays":', 1)
)


def crafted(**changes) -> bytes:
    """A cell's content with changes to its header, and a seal that fits."""
    header, _, body = SEALED.partition(b"\n")[2].partition(b"\n")
    return resealed(
        canonical({**json.loads(header), **changes}).encode() + b"\n" + body
    )


def with_more(**provenance) -> bytes:
    """A cell of a version that records more."""
    return crafted(provenance={**asdict(PROVENANCE), **provenance})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"PK\x03\x04 something else\n{}\n",
            "expected a first line 'ntk-claims-cell 1 ' \\+ SHA-256, found b'PK",
        ),
        (resealed(b"{" * 100_000 + b"\n"), "expected a header in JSON"),
        (resealed(b"\xff\xfe\n"), "expected a header in JSON"),
        (resealed(b"[]\n"), "expected a JSON object as header, found list"),
        (
            resealed(b" " * 2**20 + b"{}\n"),
            "expected a header line of at most 1048576 bytes",
        ),
        (resealed(b"{}\n"), "expected the header of a cell"),
        (crafted(request=[]), "expected the header of a cell"),
        (crafted(circumstances={"device": "cpu"}), "expected the header of a cell"),
        (
            crafted(arrays=[["drift", "<f8", [2]]]),
            "expected 16 bytes of arrays by the header, found 40",
        ),
        (
            crafted(arrays=[["drift", "<f8", [2, 2**62]]]),
            "expected the header of a cell.*array 'drift'",
        ),
        (
            crafted(arrays=[["drift", "<f8", [2, 0, 2**62]]]),
            "expected the header of a cell.*array 'drift'",
        ),
        (
            crafted(arrays=[["drift", "<f8", [-5]]]),
            "expected the header of a cell.*array 'drift'",
        ),
        (
            crafted(arrays=[["drift", "|O", [5]]]),
            "expected the header of a cell.*array 'drift' of dtype '|O'",
        ),
        (crafted(arrays=7), "expected the header of a cell"),
        (
            crafted(more=1),
            "expected the header of a cell, request, circumstances, provenance, arrays; found "
            ".*'more'",
        ),
        (crafted(arrays=[]), "expected the header of a cell.*no array"),
        (
            crafted(arrays=[["drift", "<f8", [2]], ["drift", "<f8", [2]]]),
            "expected the header.*two of one name",
        ),
        (
            crafted(arrays=[["drift", "<f8", [1, 5]]]),
            "expected the header of a cell.*array 'drift'",
        ),
        (
            crafted(arrays=[[None, "<f8", [2]]]),
            "expected the header of a cell.*array None",
        ),
        (
            crafted(provenance={**asdict(PROVENANCE), "started_at": 5}),
            "the header of a cell.*'started_at': 'int'",
        ),
        (
            crafted(circumstances={**asdict(CIRCUMSTANCES), "versions": []}),
            "the header of a cell.*'versions': 'list'",
        ),
        (
            crafted(circumstances={**asdict(CIRCUMSTANCES), "driver": "580"}),
            "the header of a cell.*'driver': 'str'",
        ),
        (
            crafted(request={**asdict(REQUEST), "engine": "ray"}),
            "the header of a cell.*got .*, engine",
        ),
        (
            crafted(provenance=[["node", ["a", "list"]]]),
            "the header of a cell.*with a list 'node'",
        ),
        (
            crafted(provenance=[["node", "gpu-7"]]),
            "the header of a cell.*a Provenance has the fields",
        ),
        (
            with_more(node=["a", "list"]),
            "the header of a cell.*1 more fields of provenance, with a list 'node'",
        ),
        (
            with_more(node={"depth": {"of": "two"}}),
            "the header of a cell.*1 more fields of provenance, with a dict",
        ),
        (
            with_more(node="n" * 5000),
            "the header of a cell.*1 more fields of provenance, with a str 'node'",
        ),
        (
            with_more(**{f"field {n}": n for n in range(33)}),
            "the header of a cell.*33 more fields of provenance",
        ),
        (
            SEALED_DIFFERENTLY,
            "expected a header in canonical JSON, found other words for the same",
        ),
        (SEALED_TWICE, "expected a header in JSON.*the name 'arrays' is given twice"),
    ],
)
def test_a_crafted_file_is_refused_however_well_sealed(store, content, message):
    path = put(store)
    path.write_bytes(content)
    with pytest.raises(CellCorrupted, match=message):
        cell.read(path)


def test_a_cell_of_a_version_that_records_more_is_used_and_kept_as_it_is(
    store, tmp_path, notices
):
    theirs = with_more(
        node="gpu-7", watts=310.5, retried=True, limits={"memory": "80 GiB"}
    )
    path = put(store)
    path.write_bytes(theirs)
    found = store.find(REQUEST, CIRCUMSTANCES)
    assert (found.provenance, found.arrays["drift"].tolist()) == (
        PROVENANCE,
        [0.25, 0.5],
    )
    put(store, arrays={"drift": np.zeros(2)})
    copied = Store(tmp_path / "copy", notify=notices.append)
    assert copied.adopt(path.relative_to(store.path).as_posix(), theirs) == "new"
    assert (
        path.read_bytes() == copied.file(REQUEST, CIRCUMSTANCES).read_bytes() == theirs
    )
    assert notices == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_in_the_place_of_a_cell_is_not_waited_for(store):
    path = put(store)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(
        CellCorrupted, match="expected a regular file, found another kind"
    ):
        cell.read(path)


def test_a_corrupted_cell_that_cannot_be_set_aside_is_still_not_used(
    store, notices, monkeypatch
):
    path = put(store)
    path.write_bytes(b"garbage")
    monkeypatch.setattr(os, "replace", refuse(errno.EROFS))
    assert store.find(REQUEST, CIRCUMSTANCES) is None
    assert path.exists()
    assert (
        "It could not be set aside (Read-only file system) and was not used."
        in notices[0]
    )


def test_by_default_a_corrupted_cell_is_a_warning(tmp_path):
    path = put(Store(tmp_path))
    path.write_bytes(b"")
    with pytest.warns(UserWarning, match="will be computed again"):
        assert Store(tmp_path).find(REQUEST, CIRCUMSTANCES) is None


def refuse(number):
    def refusal(*arguments, **keywords):
        raise OSError(number, os.strerror(number))

    return refusal


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (
            errno.ENOSPC,
            "No space left on device. Free space on that disk or choose another store; the cells "
            "already",
        ),
        (
            errno.EROFS,
            "Read-only file system. It is read-only: choose a store in a writable place, or copy "
            "it there.",
        ),
        (errno.EIO, "Input/output error. Check the disk, or choose another store."),
    ],
)
def test_a_store_that_cannot_be_written_says_what_to_do_and_loses_nothing(
    store, monkeypatch, number, message
):
    put(store)
    before = files(store.path)
    other = replace(REQUEST, stream="explored")
    monkeypatch.setattr(os, "fsync", refuse(number))
    with pytest.raises(StoreError, match=f"Cannot write the store at .*: {message}"):
        put(store, request=other)
    assert files(store.path) == before
    assert store.find(REQUEST, CIRCUMSTANCES) is not None


def test_a_store_on_a_read_only_disk_can_be_read(store, monkeypatch):
    put(store)
    for name in ("replace", "mkdir", "unlink", "fsync"):
        monkeypatch.setattr(os, name, refuse(errno.EROFS))
    assert store.find(REQUEST, CIRCUMSTANCES).arrays["drift"].tolist() == [0.25, 0.5]


@pytest.mark.parametrize("inside", ["", "store"])
@pytest.mark.parametrize(
    "act",
    [
        put,
        Store.prepare,
        lambda store: store.put_failure(REQUEST, CIRCUMSTANCES, FAILURE),
    ],
)
def test_a_store_whose_path_is_a_file_is_refused(tmp_path, inside, act):
    file = tmp_path / "file"
    file.write_text("not a folder")
    with pytest.raises(StoreError, match=r"the store at .* choose a directory"):
        act(Store(file / inside))
    assert file.read_text() == "not a folder"


def test_preparing_proves_the_store_and_removes_old_leavings_only(store):
    path = put(store)
    old, fresh = path.with_name(".x.cell.1.tmp"), path.with_name(".x.cell.2.tmp")
    for leaving in (old, fresh):
        leaving.write_bytes(b"half a cell")
    os.utime(old, (time.time() - 90_000,) * 2)
    store.prepare()
    assert files(store.path) == sorted([path.name, fresh.name])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([1.0, 2.0], "must return a dict of arrays, not empty; got list"),
        ({}, "must return a dict of arrays, not empty; got dict"),
        (None, "must return a dict of arrays, not empty; got NoneType"),
        ({"drift": [1.0, 2.0]}, "must return name -> numpy array; 'drift' is list"),
        ({3: np.zeros(2)}, "must return name -> numpy array; 3 is ndarray"),
        (
            {"drift": np.zeros(3)},
            "'drift' must have a leading axis of 2 replicates; its shape is \\(3,\\)",
        ),
        (
            {"drift": np.array(1.0)},
            "'drift' must have a leading axis of 2 replicates; its shape is \\(\\)",
        ),
        (
            {"drift": np.array([None, 1])},
            "'drift' has dtype object, which no cell can hold. Allowed: bool",
        ),
        (
            {"drift": np.array(["a", "b"])},
            "'drift' has dtype <U1, which no cell can hold",
        ),
    ],
)
def test_what_a_computation_must_return(store, arrays, message):
    with pytest.raises(InvalidInput, match=message):
        put(store, arrays=arrays)
    assert files(store.path) == []


FAILURE = Failure(
    "error", "Traceback ...\nValueError: no", 1, "2026-01-01T00:00:00+00:00"
)


def test_failures_pile_up_and_outlive_success(store):
    assert store.failures(REQUEST, CIRCUMSTANCES) == []
    again = replace(FAILURE, kind="death", attempt=2)
    path = store.put_failure(REQUEST, CIRCUMSTANCES, FAILURE)
    store.put_failure(REQUEST, CIRCUMSTANCES, again)
    put(store)
    assert store.failures(REQUEST, CIRCUMSTANCES) == [FAILURE, again]
    assert path.name == f"{cell.key(REQUEST, CIRCUMSTANCES)}.1.json"
    assert json.loads(path.read_text())["request"]["backend"] == "torch"


def test_a_garbled_failure_is_named(store):
    path = store.put_failure(REQUEST, CIRCUMSTANCES, FAILURE)
    path.write_text("{")
    with pytest.raises(
        StoreError,
        match=f"{path.name}: expected the record of a failure, found something else.*Delete it",
    ):
        store.failures(REQUEST, CIRCUMSTANCES)


RECORD = json.loads(SEALED.split(b"\n")[1])["request"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "A request must be a JSON object; got list"),
        (
            {"backend": "torch"},
            "A request has the fields computation, configuration, .*; got backend",
        ),
        ({**RECORD, "seed": 1}, "A request has the fields .*; got .*seed"),
        (
            {**RECORD, "backend": 3},
            "The field 'backend' of a request must not be int \\('3'\\)",
        ),
        (
            {**RECORD, "replicates": []},
            "The replicates of a request must be one integer or more; got \\[\\]",
        ),
        (
            {**RECORD, "replicates": [0.5]},
            "The replicates of a request must be one integer or more; got \\[0.5\\]",
        ),
        (
            {**RECORD, "configuration": {"x": float("nan")}},
            "A configuration must consist of finite JSON values",
        ),
        (
            {**RECORD, "configuration": {"x": np.ones(1)}},
            "A configuration must consist of finite JSON values",
        ),
    ],
)
def test_what_a_request_must_be(record, message):
    with pytest.raises(InvalidInput, match=message):
        cell.request_of(record)


def test_a_request_survives_json():
    assert cell.request_of(json.loads(json.dumps(RECORD))) == REQUEST
