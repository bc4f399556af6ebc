"""The format of a pack: a tar archive (POSIX ustar, not compressed), which any tar can list and extract.

    manifest.json      {"format": "ntk-claims-pack 1", "members": [[name, bytes, SHA-256], ...], "sha256": "..."}
    cells/<2 hex>/<request digest>/<cell key>.cell
    failures/<cell key>.<number>.json

The manifest is canonical JSON; its "sha256" is that of the canonical JSON of "members", and so covers all that follows.
Members are regular files in the order of their names, without owner, with one mode and the time 0: equal files make
equal bytes. A reader asks for just these bytes, header by header, so links, devices, sparse or compressed members,
names outside the two folders and names that occur twice are nothing that it would have to handle.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import PackCorrupted, StoreError
from harness.experiment import canonical, digest

FORMAT = "ntk-claims-pack 1"
MANIFEST = "manifest.json"
NAME = re.compile(r"cells/([0-9a-f]{2})/\1[0-9a-f]{62}/[0-9a-f]{64}\.cell|failures/[0-9a-f]{64}\.[1-9][0-9]{0,2}\.json")
ENTRY_BYTES = 256
"""No entry of a manifest is longer."""
LARGEST = 8 * 2**30 - 1
"""Bytes of a member that the header of a ustar archive can state."""
END = bytes(2 * tarfile.BLOCKSIZE)
KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.DIRTYPE: "a folder",
    tarfile.REGTYPE: "a file",
}


@dataclass(frozen=True)
class Limits:
    """The most that a pack may ask of the machine that unpacks it.

    Args:
        members: files in it; the manifest may have 256 bytes for each.
        member_bytes: bytes of one of them; so much memory is needed.
        total_bytes: bytes of all together.
    """

    members: int = 200_000
    member_bytes: int = 2**30
    total_bytes: int = 2**36


@dataclass(frozen=True, order=True)
class Member:
    """A file in a pack: its name from the store's folder on, its size, and its SHA-256 in hex."""

    name: str
    size: int
    sha256: str

    @staticmethod
    def of(name: str, content: bytes) -> "Member":
        """The member with this content; raises StoreError for one that is too large for the format."""
        if len(content) > LARGEST:
            raise StoreError(f"{name} has {len(content)} bytes; a pack holds files of at most {LARGEST}.")
        return Member(name, len(content), hashlib.sha256(content).hexdigest())


def seal(members: Sequence[Member]) -> str:
    """SHA-256, in hex, over all members: of the canonical JSON of their names, sizes and digests."""
    return digest([astuple(member) for member in members])


def manifest(members: Sequence[Member]) -> bytes:
    """The content of manifest.json."""
    listed = [astuple(member) for member in members]
    return canonical({"format": FORMAT, "members": listed, "sha256": seal(members)}).encode()


def pieces(members: Sequence[Member], content: Callable[[Member], bytes]) -> Iterator[bytes]:
    """The bytes of a pack, piece by piece; `content` reads one member again.

    Raises:
        StoreError: if a member is no longer what it was.
    """
    first = manifest(members)
    yield from (_header(MANIFEST, len(first)), first, _padding(len(first)))
    for member in members:
        data = content(member)
        if Member.of(member.name, data) != member:
            raise StoreError(f"{member.name} was changed while it was being packed. Pack again.")
        yield from (_header(member.name, member.size), data, _padding(member.size))
    yield END


def read(path: Path, file: BinaryIO, limits: Limits) -> Iterator[tuple[Member, bytes]]:
    """Each member of a pack with its content, verified; nothing is read that the limits do not allow.

    Raises:
        PackCorrupted: naming the pack, what was expected and what was found; before the first member is given, if the
            pack is truncated, has something behind its end, or exceeds a limit.
    """
    header = file.read(tarfile.BLOCKSIZE)
    size = _manifest_size(path, header, limits)
    members = _members(path, _exactly(path, file, MANIFEST, size), limits)
    _check_length(path, file, size, members)
    for member in members:
        found = file.read(tarfile.BLOCKSIZE)
        if found != _header(member.name, member.size):
            raise PackCorrupted(
                f"{path}: expected the regular file {member.name} of {member.size} bytes, found {_described(found)}."
            )
        content = _exactly(path, file, member.name, member.size)
        if Member.of(member.name, content) != member:
            raise PackCorrupted(f"{path}: {member.name} was altered: expected SHA-256 {member.sha256}, found another.")
        yield member, content
    if file.read() != END:
        raise PackCorrupted(f"{path}: expected the end of the archive after the last member, found something else.")


def is_pack(path: Path) -> bool:
    """Whether a file begins as a pack does."""
    with path.open("rb") as file:
        block = file.read(tarfile.BLOCKSIZE)
        return _size(block) is not None and file.read(13) == b'{"format":"nt'


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _size(block: bytes) -> int | None:
    """What the header of a manifest says of its size; None if it is no such header."""
    try:
        size = tarfile.TarInfo.frombuf(block, "ascii", "strict").size
        return size if size >= 0 and block == _header(MANIFEST, size) else None
    except (tarfile.TarError, ValueError):
        return None


def _manifest_size(path: Path, block: bytes, limits: Limits) -> int:
    size = _size(block)
    if size is None:
        raise PackCorrupted(f"{path} is no pack: expected {MANIFEST} first, found {_described(block)}.")
    if size > (allowed := ENTRY_BYTES * (limits.members + 1)):
        raise PackCorrupted(
            f"{path}: its manifest has {size} bytes; allowed are {allowed}, for {limits.members} members. If you trust "
            "it, raise --max-members."
        )
    return size


def _members(path: Path, content: bytes, limits: Limits) -> list[Member]:
    try:
        listed = json.loads(content)["members"]
        members = [Member(str(name), size, str(sha256)) for name, size, sha256 in listed]
        same = all(type(member.size) is int and member.size >= 0 for member in members) and manifest(members) == content
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PackCorrupted(f"{path}: expected a manifest of {FORMAT!r}, found another ({error!r}).") from None
    if not same:
        raise PackCorrupted(
            f"{path}: the manifest is not what {FORMAT!r} would write: it was altered, or is of another version."
        )
    for member, after in zip(members, [*members[1:], None], strict=True):
        _check_member(path, member, after)
    _check_limits(path, members, limits)
    return members


def _check_member(path: Path, member: Member, after: Member | None) -> None:
    if not NAME.fullmatch(member.name):
        raise PackCorrupted(f"{path}: {member.name[:200]!r} is no name of a cell or failure; nothing was unpacked.")
    if after is not None and after.name <= member.name:
        raise PackCorrupted(f"{path}: {after.name[:200]!r} occurs twice, or out of order; nothing was unpacked.")


def _check_limits(path: Path, members: Sequence[Member], limits: Limits) -> None:
    largest = max(members, key=lambda member: member.size, default=Member("nothing", 0, ""))
    for what, found, allowed, option in (
        ("members", len(members), limits.members, "--max-members"),
        (f"bytes in {largest.name}", largest.size, min(limits.member_bytes, LARGEST), "--max-member-bytes"),
        ("bytes together", sum(member.size for member in members), limits.total_bytes, "--max-bytes"),
    ):
        if found > allowed:
            raise PackCorrupted(
                f"{path}: {found} {what}; allowed are {allowed}. Nothing was unpacked. If you trust it, raise {option}."
            )


def _check_length(path: Path, file: BinaryIO, manifest_size: int, members: Sequence[Member]) -> None:
    sizes = [manifest_size, *(member.size for member in members)]
    expected = sum(tarfile.BLOCKSIZE + size + len(_padding(size)) for size in sizes) + len(END)
    at = file.tell()
    found = file.seek(0, 2)
    file.seek(at)
    if found != expected:
        raise PackCorrupted(
            f"{path}: expected {expected} bytes by its manifest, found {found}: it is "
            f"{'truncated' if found < expected else 'longer than it was written'}. Nothing was unpacked; copy it again."
        )


def _exactly(path: Path, file: BinaryIO, name: str, size: int) -> bytes:
    """The content of a member, and what fills its last block."""
    content, padding = file.read(size), file.read(-size % tarfile.BLOCKSIZE)
    if len(content) < size or padding != _padding(size):
        raise PackCorrupted(
            f"{path}: expected {size} bytes of {name} and zeros to the end of a block, found {len(content)} bytes and "
            "something else. Copy it again."
        )
    return content


def _described(block: bytes) -> str:
    try:
        entry: Any = tarfile.TarInfo.frombuf(block, "ascii", "replace")
    except (tarfile.TarError, ValueError):
        return f"no header of a tar archive ({block[:16]!r})"
    kind = KINDS.get(entry.type, f"an entry of type {entry.type!r}")
    return f"{kind} {entry.name[:200]!r} of {entry.size} bytes, or another owner, mode or time"
