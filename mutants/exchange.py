"""Defects of reading what others have written: packs of cells, JSON, MATLAB files."""

from mutants.mutant import Mutant

ARCHIVE = "harness/sweep/pack/archive.py"
TRANSFER = "harness/sweep/pack/transfer.py"
STRICT = "harness/strict_json.py"
MATLAB = "harness/datasets/_matlab.py"
PACK = "tests/test_pack.py::"
JSON = "tests/test_strict_json.py::"
SETS = "tests/test_datasets_archives.py::"

MUTANTS = (
    Mutant(
        "pack-not-verified",
        "The digest of what a pack holds is not compared with that of its list.",
        ARCHIVE,
        "        if Member.of(member.name, content) != member:\n",
        "        if len(content) != member.size:\n",
        (f"{PACK}test_what_was_verified_before_the_fault_stays",),
    ),
    Mutant(
        "pack-writes-anywhere",
        "A name in a pack need only begin like that of a cell, so it may lead out of the store.",
        ARCHIVE,
        "if not NAME.fullmatch(member.name):",
        "if not NAME.match(member.name):",
        (f"{PACK}test_what_is_no_pack_is_refused",),
    ),
    Mutant(
        "pack-holds-a-name-twice",
        "A file may occur in a pack twice, and the last one counts.",
        ARCHIVE,
        "after.name <= member.name:",
        "after.name < member.name:",
        (f"{PACK}test_what_is_no_pack_is_refused",),
    ),
    Mutant(
        "pack-limit-for-each-alone",
        "The limit on all files of a pack together is held against the largest of them.",
        ARCHIVE,
        "sum(member.size for member in members), limits.total_bytes",
        "largest.size, limits.total_bytes",
        (f"{PACK}test_limits",),
    ),
    Mutant(
        "pack-limit-off-by-one",
        "A pack of just as much as is allowed is refused.",
        ARCHIVE,
        "        if found > allowed:\n",
        "        if found >= allowed:\n",
        (f"{PACK}test_what_is_just_allowed_is_unpacked",),
    ),
    Mutant(
        "pack-may-be-cut-off",
        "A truncated pack is unpacked up to where it ends.",
        ARCHIVE,
        "    if found != expected:\n",
        "    if found > expected:\n",
        (f"{PACK}test_a_truncated_pack_is_refused_before_anything_is_unpacked",),
    ),
    Mutant(
        "pack-may-go-on-behind-its-end",
        "What follows the end of a pack is passed over until everything is unpacked.",
        ARCHIVE,
        "    if found != expected:\n",
        "    if found < expected:\n",
        (f"{PACK}test_what_follows_the_end_is_refused",),
    ),
    Mutant(
        "pack-of-a-plan-holds-everything",
        "A pack of what answers a plan holds the whole store.",
        TRANSFER,
        "if wanted is None or request.digest in wanted:",
        "if True:",
        (f"{PACK}test_only_what_answers_a_plan",),
    ),
    Mutant(
        "pack-replaces-any-file",
        "A file that is no pack is written over by one.",
        TRANSFER,
        "not (file.is_file() and archive.is_pack(file))",
        "not file.is_file()",
        (f"{PACK}test_what_cannot_be_packed_or_unpacked",),
    ),
    Mutant(
        "changed-while-packed",
        "A cell that changes while it is packed goes in as it is then, under the digest of before.",
        ARCHIVE,
        "        if Member.of(member.name, data) != member:\n",
        "        if False:\n",
        (f"{PACK}test_a_cell_that_changes_or_goes_while_it_is_packed_is_noticed",),
    ),
    Mutant(
        "unpacking-writes-over",
        "A valid cell of the store is written over by that of a pack.",
        "harness/sweep/store.py",
        '        if self._verified(path) is not None:\n            with _explained("read", path):\n',
        '        if False:\n            with _explained("read", path):\n',
        (f"{PACK}test_a_valid_cell_is_never_written_over",),
    ),
    Mutant(
        "json-last-name-counts",
        "Of a name that a JSON object has twice, the last one counts.",
        STRICT,
        "        if name in members:\n",
        "        if False:\n",
        (f"{JSON}test_what_is_refused",),
    ),
    Mutant(
        "json-number-becomes-infinite",
        "A number too large for a float is read as infinity.",
        STRICT,
        "if not math.isfinite(value := float(literal)):",
        "if math.isnan(value := float(literal)):",
        (f"{JSON}test_what_is_refused",),
    ),
    Mutant(
        "json-depth-off-by-one",
        "JSON may be nested one level deeper than is allowed.",
        STRICT,
        "for _ in range(DEPTH):",
        "for _ in range(DEPTH + 1):",
        (f"{JSON}test_what_is_refused",),
    ),
    Mutant(
        "json-from-a-device",
        "A device or pipe is read as if it were a file.",
        STRICT,
        "if not stat.S_ISREG(status.st_mode):",
        "if stat.S_ISDIR(status.st_mode):",
        (f"{JSON}test_a_file_is_read_if_it_is_one_and_not_too_large",),
    ),
    Mutant(
        "json-size-off-by-one",
        "A file of just the size that is allowed is refused.",
        STRICT,
        "if status.st_size > largest:",
        "if status.st_size >= largest:",
        (f"{JSON}test_a_file_is_read_if_it_is_one_and_not_too_large",),
    ),
    Mutant(
        "matlab-rows-for-columns",
        "Arrays of MATLAB files are read row by row, so images come out scrambled.",
        MATLAB,
        '.reshape(shape, order="F")',
        ".reshape(shape)",
        (f"{SETS}test_svhn_images_come_first_and_ten_means_zero",),
    ),
    Mutant(
        "matlab-stream-may-be-cut-off",
        "A compressed element without its checksum is read all the same.",
        MATLAB,
        "if len(content) != size or not stream.eof:",
        "if len(content) != size:",
        (f"{SETS}test_matlab_elements_that_lie_are_refused",),
    ),
    Mutant(
        "matlab-bomb",
        "Memory is taken for whatever size an array of a MATLAB file claims to have.",
        MATLAB,
        "if size > largest[name] + PREFIX:",
        "if False:",
        (f"{SETS}test_matlab_elements_that_lie_are_refused",),
    ),
    Mutant(
        "matlab-variable-twice",
        "Of a variable that a MATLAB file has twice, the last one counts.",
        MATLAB,
        "        if name in found:\n",
        "        if False:\n",
        (f"{SETS}test_matlab_elements_that_lie_are_refused",),
    ),
    Mutant(
        "matlab-any-type",
        "Data of a type beyond the table are read as bytes.",
        MATLAB,
        '    if kind not in DTYPES:\n        raise ValueError(f"{name} has data of the type {kind}")\n'
        "    dtype = np.dtype(DTYPES[kind])",
        '    dtype = np.dtype(DTYPES.get(kind, "u1"))',
        (f"{SETS}test_matlab_types_beyond_the_table_are_refused",),
    ),
)
