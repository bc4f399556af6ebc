"""Packs: a store arrives as it was, and a pack from a stranger can do no harm."""

import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import cli
from harness.errors import InvalidInput, PackCorrupted, StoreError
from harness.experiment import Request, canonical
from harness.sweep import Circumstances, Failure, Provenance, Store
from harness.sweep import pack as packs
from harness.sweep.pack import main, pack, unpack

REQUEST = Request(
    "harness.measurements:drift",
    {"width": 64},
    (0, 1),
    "registered",
    "torch",
    "float32",
)
CIRCUMSTANCES = Circumstances("cuda", "c0de", {"numpy": "2.4", "torch": "2.13"})
PROVENANCE = Provenance(
    "2026-01-01T00:00:00+00:00", 1.5, 1, "a GPU", {"OMP_NUM_THREADS": "1"}, "3.12.0"
)
FAILURE = Failure("memory", "out of it", 1, "2026-01-01T00:00:00+00:00")


def request(width):
    return replace(REQUEST, configuration={"width": width})


def filled(folder, widths=(64, 128, 256), failures=1, provenance=PROVENANCE):
    """A store with a cell per width, and failures of the first."""
    store = Store(folder)
    for width in widths:
        store.put(
            request(width), CIRCUMSTANCES, provenance, {"drift": np.array([0.5, width])}
        )
    for attempt in range(1, failures + 1):
        store.put_failure(
            request(widths[0]), CIRCUMSTANCES, replace(FAILURE, attempt=attempt)
        )
    return store


def content(folder):
    """Name -> bytes of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


@pytest.fixture
def packed(tmp_path):
    """A pack of three cells and a failure."""
    file = tmp_path / "results.pack"
    pack(filled(tmp_path / "there"), file)
    return file


@pytest.fixture
def here(tmp_path):
    return Store(tmp_path / "here")


def test_a_store_arrives_as_it_was(tmp_path, packed, here):
    unpacked = unpack(packed, here)
    assert (unpacked.new, unpacked.same, unpacked.kept) == (4, 0, ())
    assert content(here.path) == content(tmp_path / "there")
    assert here.find(request(128), CIRCUMSTANCES).arrays["drift"][1] == 128


def test_equal_stores_make_equal_bytes(tmp_path, packed, here):
    unpack(packed, here)
    os.utime(next(here.path.rglob("*.cell")), (0, 0))
    again = pack(here, tmp_path / "again.pack")
    assert (tmp_path / "again.pack").read_bytes() == packed.read_bytes()
    assert (again.cells, again.failures, again.size) == (3, 1, packed.stat().st_size)


def test_any_tar_reads_a_pack_and_its_contents_are_as_documented(tmp_path, packed):
    with tarfile.open(packed, "r:") as tar:
        there = {entry.name: tar.extractfile(entry).read() for entry in tar}
    contents = json.loads(there.pop("contents.json"))
    assert there == content(tmp_path / "there")
    assert contents == {
        "format": "ntk-claims-pack 2",
        "members": 4,
        "bytes": sum(map(len, there.values())),
    }


def test_only_what_answers_a_plan(tmp_path, here):
    filled(tmp_path / "there")
    (tmp_path / "plan.json").write_text(
        json.dumps([asdict(request(128)), asdict(request(4096))])
    )
    pair = str(tmp_path / "there"), str(tmp_path / "a.pack")
    assert main(["pack", *pair, "--plan", str(tmp_path / "plan.json")]) == 0
    assert unpack(tmp_path / "a.pack", here).new == 1
    assert here.find(request(128), CIRCUMSTANCES) is not None


def test_both_commands_say_what_they_did(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    filled(Path("there"))
    assert cli.main(["pack", "there", "a.pack"]) == 0
    seal = hashlib.sha256(Path("a.pack").read_bytes()).hexdigest()
    size = Path("a.pack").stat().st_size
    said = (
        f"3 cells and 1 failures, {size} bytes in a.pack\nSHA-256 of the pack: {seal}\n"
    )
    assert capsys.readouterr().out == said
    assert cli.main(["unpack", "a.pack", "here"]) == 0
    assert (
        capsys.readouterr().out
        == "4 new in here, 0 there already, 0 kept as they were\n"
    )
    assert cli.main(["unpack", "a.pack", "here"]) == 0
    assert (
        capsys.readouterr().out
        == "0 new in here, 4 there already, 0 kept as they were\n"
    )


def test_what_is_damaged_is_left_out_and_named(tmp_path, capsys):
    store = filled(tmp_path / "there")
    damaged = store.file(request(128), CIRCUMSTANCES)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    before = content(store.path)
    assert main(["pack", str(store.path), str(tmp_path / "a.pack")]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("2 cells and 1 failures, ")
    assert err.startswith(f"Left out: {damaged}: expected content with SHA-256")
    assert content(store.path) == before


def test_a_valid_cell_is_never_written_over(tmp_path, packed, capsys):
    here = filled(
        tmp_path / "here",
        widths=(64,),
        failures=0,
        provenance=replace(PROVENANCE, seconds=9.0),
    )
    before = content(here.path)
    assert main(["unpack", str(packed), str(here.path)]) == 1
    out, err = capsys.readouterr()
    assert out == f"3 new in {here.path}, 0 there already, 1 kept as they were\n"
    (name,) = before
    assert (
        err
        == f"Kept: {name}; the store had a valid answer of its own, with other bytes.\n"
    )
    assert content(here.path).items() >= before.items()


def test_a_damaged_cell_is_replaced(tmp_path, packed):
    notices = []
    here = replace(filled(tmp_path / "here", widths=(64,)), notify=notices.append)
    path = here.file(request(64), CIRCUMSTANCES)
    path.write_bytes(b"nothing")
    assert unpack(packed, here).new == 3
    assert here.find(request(64), CIRCUMSTANCES) is not None
    assert "It was set aside as" in notices[0]


def test_failures_stand_beside_those_that_were_there(tmp_path, packed):
    here = Store(tmp_path / "here")
    own = replace(FAILURE, kind="death")
    here.put_failure(request(64), CIRCUMSTANCES, own)
    assert unpack(packed, here).new == 4
    assert unpack(packed, here).same == 4
    assert here.failures(request(64), CIRCUMSTANCES) == [own, FAILURE]


def test_stopped_and_started_again(packed, here, monkeypatch):
    adopt, calls = Store.adopt, []

    def interrupted(self, name, content):
        calls.append(name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return adopt(self, name, content)

    monkeypatch.setattr(Store, "adopt", interrupted)
    with pytest.raises(KeyboardInterrupt):
        unpack(packed, here)
    assert len(content(here.path)) == 1
    assert (unpacked := unpack(packed, here)).new == 3
    assert unpacked.same == 1


def test_killed_and_started_again(tmp_path, here):
    there = filled(tmp_path / "there", widths=range(1, 200))
    pack(there, tmp_path / "a.pack")
    command = [
        sys.executable,
        "-m",
        "harness.sweep.pack",
        "unpack",
        str(tmp_path / "a.pack"),
        str(here.path),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not list(here.path.glob("cells/*/*/*.cell")):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert all(
        content(there.path)[name] == data
        for name, data in content(here.path).items()
        if name[-4:] != ".tmp"
    )
    unpack(tmp_path / "a.pack", here)
    assert content(there.path).items() <= content(here.path).items()


# What a stranger may send. Each is refused, says why, and leaves the store as it was.

CELL = f"cells/ab/ab{'0' * 62}/{'1' * 64}.cell"


def entry(name=CELL, kind=tarfile.REGTYPE, size=0, link=""):
    header = tarfile.TarInfo(name)
    header.type, header.size, header.linkname = kind, size, link
    return header


def listing(members=0, size=0, **other):
    return canonical(
        {"format": packs.FORMAT, "members": members, "bytes": size, **other}
    ).encode()


def assembled(*members, contents=None, first=None):
    """A tar of a contents.json and of members: a header and its content."""
    listed = (
        listing(len(members), sum(len(data) for _, data in members))
        if contents is None
        else contents
    )
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(
            first or entry(packs.CONTENTS, size=len(listed)), io.BytesIO(listed)
        )
        for header, data in members:
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


def member(data=b"x", name=CELL):
    return entry(name), data


def special(kind):
    return assembled((entry(kind=kind, link="/etc/passwd"), b""))


def sparse():
    """A file of ten gigabytes in a few bytes, as GNU tar writes holes; a block with its long name
    comes before.
    """
    blocks = entry(kind=tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT)
    header = bytearray(blocks[-512:])
    header[386:398], header[398:410], header[483:495] = (
        b"00000000000\0",
        b"00000000000\0",
        b"112402762000",
    )
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return (
        assembled(contents=listing(1))[:1024]
        + blocks[:-512]
        + bytes(header)
        + bytes(1024)
    )


def attributed():
    header, data = member()
    header.pax_headers = {"comment": "mine"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        contents = listing(1, 1)
        tar.addfile(entry(packs.CONTENTS, size=len(contents)), io.BytesIO(contents))
        header.size = 1
        tar.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(packs.CONTENTS, bytes(10**6))
    return buffer.getvalue()


def first(kind):
    return assembled(first=entry(packs.CONTENTS, kind, link="/etc/passwd"))


HOSTILE = {
    "nothing": (b"", "is no pack"),
    "garbage": (b"\xff" * 4096, "is no pack"),
    "a compressed bomb": (gzip.compress(bytes(10**7), mtime=0), "is no pack"),
    "a zip": (zipped(), "is no pack"),
    "an empty tar": (bytes(1024), "expected contents.json first, found nothing"),
    "a link for the contents": (
        first(tarfile.SYMTYPE),
        "found 'contents.json' of type b'2' and 0 bytes",
    ),
    "a device for the contents": (
        first(tarfile.BLKTYPE),
        "found 'contents.json' of type b'4'",
    ),
    "long contents": (
        assembled(contents=bytes(2000)),
        "found 'contents.json' of type b'0' and 2000 bytes",
    ),
    "no JSON": (assembled(contents=b"{"), "expected b'{', found"),
    "a list": (assembled(contents=b"[]"), "expected .*, found"),
    "another version": (
        assembled(contents=listing(format="ntk-claims-pack 9")),
        "expected .*pack 9.*, found .*pack 2",
    ),
    "more than it says": (
        assembled(member(), contents=listing()),
        "expected .*, found .*members.*:1",
    ),
    "less than it says": (
        assembled(member(), contents=listing(2, 1)),
        "was truncated or altered: expected",
    ),
    "an absolute name": (assembled(member(name="/etc/passwd")), "'/etc/passwd'"),
    "a way out": (assembled(member(name="cells/../../x.cell")), "found 'cells/../../x"),
    "a way out behind a cell": (
        assembled(member(name=f"{CELL}/../../../x")),
        "found 'cells/.*/x'",
    ),
    "a line break": (assembled(member(name=f"{CELL}\n")), r"found 'cells/.*\\n'"),
    "another folder": (
        assembled(member(name=CELL.replace("cells/ab/", "cells/cd/"))),
        "found 'cells/cd/ab",
    ),
    "a name twice": (assembled(member(), member()), "each once"),
    "a link": (special(tarfile.SYMTYPE), "expected a regular file .* type b'2'"),
    "a hard link": (special(tarfile.LNKTYPE), "expected a regular file .* type b'1'"),
    "a device": (special(tarfile.CHRTYPE), "expected a regular file .* type b'3'"),
    "a pipe": (special(tarfile.FIFOTYPE), "expected a regular file .* type b'6'"),
    "a folder": (special(tarfile.DIRTYPE), "expected a regular file .* type b'5'"),
    "a sparse file": (sparse(), "expected a regular file"),
    "extended attributes": (attributed(), "expected a regular file"),
    "no cell": (
        assembled(member()),
        "is not what its name promises, .* expected a first line",
    ),
    "no failure": (
        assembled(member(name=f"failures/{'1' * 64}.1.json")),
        "Expected the record of a failure",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_pack_is_refused(tmp_path, here, name):
    data, message = HOSTILE[name]
    file = tmp_path / "hostile.pack"
    file.write_bytes(data)
    with pytest.raises(PackCorrupted, match=message) as refused:
        unpack(file, here)
    assert str(file) in str(refused.value)
    assert content(tmp_path) == {"hostile.pack": data}


def test_a_cell_under_the_name_of_another_is_refused(tmp_path, here):
    store = filled(tmp_path / "there")
    one, other = (store.file(request(width), CIRCUMSTANCES) for width in (64, 128))
    name = one.relative_to(store.path).as_posix()
    (tmp_path / "swapped.pack").write_bytes(assembled(member(other.read_bytes(), name)))
    with pytest.raises(
        PackCorrupted, match=r"is not what its name promises, .* found another one's"
    ):
        unpack(tmp_path / "swapped.pack", here)


def test_a_failure_under_the_name_of_another_cell_is_refused(tmp_path, here):
    (path,) = (filled(tmp_path / "there").path / "failures").iterdir()
    (tmp_path / "swapped.pack").write_bytes(
        assembled(member(path.read_bytes(), f"failures/{'1' * 64}.1.json"))
    )
    with pytest.raises(
        PackCorrupted,
        match=r"Expected the record of a failure of 1+, found that of a failure of ",
    ):
        unpack(tmp_path / "swapped.pack", here)


def test_a_file_that_is_too_large_for_memory_is_refused(packed, here, monkeypatch):
    monkeypatch.setattr(packs, "MEMBER_BYTES", 300)
    with pytest.raises(PackCorrupted, match=r"of at most 300 bytes; found 'cells/"):
        unpack(packed, here)
    assert not here.path.exists()


def test_the_size_of_a_pack_is_limited_by_an_option(packed, here, capsys):
    size = packed.stat().st_size
    most = ["--max-bytes", str(size - 1)]
    assert main(["unpack", str(packed), str(here.path), *most]) == 2
    assert (
        f"has {size} bytes; allowed are {size - 1}. Nothing was unpacked. If you trust it, raise "
        "--max-bytes." in capsys.readouterr().err
    )
    assert not here.path.exists()
    assert main(["unpack", str(packed), str(here.path), "--max-bytes", str(size)]) == 0


def test_what_was_verified_before_the_fault_stays(tmp_path, packed, here):
    data = bytearray(packed.read_bytes())
    last_cell = data.rfind(b"ntk-claims-cell")
    data[last_cell + 500] ^= 1
    packed.write_bytes(data)
    with pytest.raises(
        PackCorrupted,
        match=r"found .*\. 2 of its files had been verified, and are in the store",
    ):
        unpack(packed, here)
    assert content(here.path).items() < content(tmp_path / "there").items()
    assert len(content(here.path)) == 2


SLOW = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@SLOW
@given(cut=st.floats(0, 1, exclude_max=True))
def test_a_truncated_pack_is_refused_before_anything_is_unpacked(packed, here, cut):
    # what follows the last file is nothing but zeros
    data = packed.read_bytes().rstrip(b"\0")
    file = packed.with_name("cut.pack")
    file.write_bytes(data[: int(cut * len(data))])
    with pytest.raises(PackCorrupted, match=r"is no pack|expected|truncated"):
        unpack(file, here)
    assert not here.path.exists()


@SLOW
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_no_altered_byte_of_a_pack_reaches_the_store(
    tmp_path_factory, packed, place, change
):
    """Header, contents, cell, padding or end."""
    data = bytearray(packed.read_bytes())
    data[int(place * len(data))] ^= change
    folder = tmp_path_factory.mktemp("altered")
    (folder / "altered.pack").write_bytes(data)
    with suppress(PackCorrupted):
        unpack(folder / "altered.pack", Store(folder / "here"))
    assert content(folder / "here").items() <= content(packed.parent / "there").items()


@SLOW
@given(data=st.binary(max_size=2000))
def test_no_bytes_break_the_reader(packed, here, data):
    file = packed.with_name("random.pack")
    for content_ in (
        data,
        assembled(contents=data),
        assembled(member(data)),
        packed.read_bytes()[:1536] + data,
    ):
        file.write_bytes(content_)
        with pytest.raises(PackCorrupted):
            unpack(file, here)


def test_what_cannot_be_packed_or_unpacked(tmp_path, here):
    with pytest.raises(
        StoreError,
        match=r"no store at .*here, so there is nothing to pack\. Name the folder of one",
    ):
        pack(here, tmp_path / "a.pack")
    here.path.mkdir()
    with pytest.raises(
        StoreError, match="holds no valid cell or failure; nothing was packed"
    ):
        pack(here, tmp_path / "a.pack")
    filled(here.path)
    with pytest.raises(
        StoreError,
        match="holds no valid cell or failure of that plan; nothing was packed",
    ):
        pack(here, tmp_path / "a.pack", [request(4096)])
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(
        InvalidInput,
        match=r"thesis\.tex is there, and is no pack, so it is not written over",
    ):
        pack(here, tmp_path / "thesis.tex")
    with pytest.raises(
        StoreError,
        match=r"nowhere/a\.pack cannot be written: No such file or directory",
    ):
        pack(here, tmp_path / "nowhere" / "a.pack")
    with pytest.raises(
        StoreError, match=r"a\.pack cannot be read: No such file or directory"
    ):
        unpack(tmp_path / "a.pack", here)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(
        PackCorrupted, match="pipe is no regular file, so it is no pack"
    ):
        unpack(tmp_path / "pipe", here)
    with pytest.raises(InvalidInput, match="pipe is there, and is no pack"):
        pack(here, tmp_path / "pipe")
    assert not list(tmp_path.glob(".*"))


def test_a_pack_replaces_the_one_before(tmp_path, packed):
    filled(tmp_path / "there", widths=(512,))
    assert pack(Store(tmp_path / "there"), packed).cells == 4


def test_a_cell_that_changes_or_goes_while_it_is_packed_is_noticed(
    tmp_path, monkeypatch
):
    store = filled(tmp_path / "there")
    path = store.file(request(128), CIRCUMSTANCES)
    again = packs._again

    def changed(own, size):
        if own == path:
            path.write_bytes(path.read_bytes()[:-1] + b"x")
        return again(own, size)

    def gone(own, size):
        path.unlink(missing_ok=True)
        return again(own, size)

    monkeypatch.setattr(packs, "_again", changed)
    with pytest.raises(
        StoreError,
        match=r"\.cell was changed while it was being packed \(.*\)\. Pack again\.",
    ):
        pack(store, tmp_path / "a.pack")
    path.unlink()
    store = filled(tmp_path / "there")
    monkeypatch.setattr(packs, "_again", gone)
    with pytest.raises(
        StoreError,
        match=r"changed while it was being packed \(No such file or directory\)",
    ):
        pack(store, tmp_path / "a.pack")
    assert [file.name for file in tmp_path.iterdir()] == ["there"]
