"""What strace writes, as calls, and the calls done again on a disk."""

import shutil
from pathlib import Path

import pytest

from simulator.errors import BadInput, MissingProgram, NotStarted
from simulator.prove.disk_replay import Replay
from simulator.prove.syscalls import Call, read_call, read_calls, record, unhex

FOLDER = Path("/data")
WITNESS = Path("/witness")


def hexed(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return "".join(f"\\x{byte:02x}" for byte in raw)


def fd(number: int, path: str) -> str:
    return f"{number}<{hexed(path)}>"


def opening(name: str, flags: str, result: int) -> str:
    cwd, path = f"AT_FDCWD<{hexed('/work')}>", f"/data/{name}"
    return f'openat({cwd}, "{hexed(path)}", {flags}, 0644) = {fd(result, path)}'


def replayed(*lines: str) -> Replay:
    replay = Replay(FOLDER, WITNESS)
    for line in lines:
        call = read_call(line)
        if call is not None:
            replay.do(call)
    return replay


def contents(replay: Replay) -> dict[str, bytes]:
    return {name: bytes(file.live) for name, file in replay.disk.names.items()}


# --- the reader --------------------------------------------------------------------------------


def test_a_call_with_its_data():
    data = b'a,b]"c\n\0\xff'
    call = read_call(f'pwrite64({fd(3, "/data/a")}, "{hexed(data)}", 8, 4096) = 8')
    assert call is not None
    assert (call.name, call.number(0), call.data(1), call.number(3), call.result) == (
        "pwrite64", 3, data, 4096, 8,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        f'openat(AT_FDCWD, "{hexed("/data/a")}", O_RDONLY) = -1 ENOENT (No such file)',
        "exit_group(0) = ?",
        "brk(NULL",
    ],
)
def test_what_failed_or_never_ended_is_left_out(text):
    assert read_call(text) is None


def test_structs_and_flags_are_one_argument():
    call = read_call("fcntl(5<\\x2f>, F_SETLK, {l_type=F_WRLCK, l_start=1, l_len=1}) = 0")
    assert call is not None
    assert call.arguments == ("5<\\x2f>", "F_SETLK", "{l_type=F_WRLCK, l_start=1, l_len=1}")
    opened = read_call(opening("a", "O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC", 3))
    assert opened is not None
    assert opened.has(2, "O_TRUNC")
    assert not opened.has(2, "O_TRUNCATE")
    assert not opened.has(7, "O_TRUNC")


def test_a_relative_path_is_below_its_folder():
    call = read_call(f'unlinkat({fd(7, "/data")}, "{hexed("a")}", 0) = 0')
    assert call is not None
    assert str(call.path(1, 0)) == "/data/a"


def test_calls_of_two_threads_that_strace_cut_in_two():
    lines = [
        f'10 pwrite64({fd(3, "/data/a")}, "{hexed("one")}", 3, 0 <unfinished ...>',
        "11 fsync(4<\\x61> <unfinished ...>",
        "10 <... pwrite64 resumed>) = 3",
        "--- not a line of a process",
        "12 --- SIGCHLD {si_signo=SIGCHLD} ---",
        "11 <... fsync resumed>)              = 0",
        "13 read(0x3,  <unfinished ...>",
        "13 <... read resumed>0x7f00, 0x10)  = 0x10",
        "10 +++ exited with 0 +++",
    ]
    calls = list(read_calls(iter(lines)))
    assert [(call.name, call.result) for call in calls] == [
        ("pwrite64", 3), ("fsync", 0), ("read", 16),
    ]  # fmt: skip
    assert calls[0].data(1) == b"one"
    assert calls[0].number(3) == 0
    assert calls[2].arguments == ("0x3", "0x7f00", "0x10")


@pytest.mark.parametrize("quoted", ['"\\x41"...', "0x7f00", '"A"'])
def test_data_that_is_not_whole_is_refused(quoted):
    with pytest.raises(BadInput, match="expected"):
        Call("write", ("3", quoted, "1"), 1).data(1)


def test_hex():
    assert unhex("\\x00\\xff\\x41") == b"\0\xffA"


# --- done again --------------------------------------------------------------------------------


def test_writes_follow_the_position_that_dup_shares():
    replay = replayed(
        opening("a", "O_RDWR|O_CREAT", 3),
        f'write({fd(3, "/data/a")}, "{hexed("abcd")}", 4) = 4',
        f"dup({fd(3, '/data/a')}) = {fd(4, '/data/a')}",
        f'write({fd(4, "/data/a")}, "{hexed("ef")}", 2) = 2',
        f'pwrite64({fd(4, "/data/a")}, "{hexed("X")}", 1, 0) = 1',
        f'write({fd(3, "/data/a")}, "{hexed("g")}", 1) = 1',
        f"close({fd(3, '/data/a')}) = 0",
        f"lseek({fd(4, '/data/a')}, 1, SEEK_SET) = 1",
        "read(0x4, 0x7f00, 0x1) = 0x1",
        f'write({fd(4, "/data/a")}, "{hexed("Y")}", 1) = 1',
    )
    assert contents(replay) == {"a": b"XbYdefg"}


def test_a_short_write_counts_what_was_written():
    replay = replayed(
        opening("a", "O_RDWR|O_CREAT", 3),
        f'write({fd(3, "/data/a")}, "{hexed("abcd")}", 4) = 2',
        f'write({fd(3, "/data/a")}, "{hexed("Z")}", 1) = 1',
    )
    assert contents(replay) == {"a": b"abZ"}


def test_writev_and_append():
    vector = f'[{{iov_base="{hexed("a]")}", iov_len=2}}, {{iov_base="{hexed(",b")}", iov_len=2}}]'
    replay = replayed(
        opening("a", "O_WRONLY|O_CREAT|O_APPEND", 3),
        f"writev({fd(3, '/data/a')}, {vector}, 2) = 4",
        f"lseek({fd(3, '/data/a')}, 0, SEEK_SET) = 0",
        f"writev({fd(3, '/data/a')}, {vector}, 2) = 4",
        opening("b", "O_WRONLY|O_CREAT", 4),
        f"pwritev({fd(4, '/data/b')}, {vector}, 2, 3) = 4",
    )
    assert contents(replay) == {"a": b"a],ba],b", "b": b"\0\0\0a],b"}


def test_truncation_and_allocation():
    replay = replayed(
        opening("a", "O_RDWR|O_CREAT", 3),
        f'write({fd(3, "/data/a")}, "{hexed("abcdef")}", 6) = 6',
        f"ftruncate({fd(3, '/data/a')}, 4) = 0",
        f"fallocate({fd(3, '/data/a')}, FALLOC_FL_KEEP_SIZE, 0, 100) = 0",
        f"fallocate({fd(3, '/data/a')}, 0, 4, 2) = 0",
        f"fallocate({fd(3, '/data/a')}, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 0, 1) = 0",
    )
    assert contents(replay) == {"a": b"\0bcd\0\0"}
    replay.do(Call("truncate", (f'"{hexed("/data/a")}"', "1"), 0))
    assert contents(replay) == {"a": b"\0"}
    call = read_call(opening("a", "O_RDWR|O_TRUNC", 5))
    assert call is not None
    replay.do(call)
    assert contents(replay) == {"a": b""}


def test_names_and_what_is_certain():
    old, new = (f'"{hexed(f"/data/{name}")}"' for name in ("a", "b"))
    replay = replayed(
        opening("a", "O_RDWR|O_CREAT", 3),
        f'write({fd(3, "/data/a")}, "{hexed("abc")}", 3) = 3',
        f"fdatasync({fd(3, '/data/a')}) = 0",
        f'openat(AT_FDCWD, "{hexed("/data")}", O_RDONLY) = {fd(4, "/data")}',
        f"fsync({fd(4, '/data')}) = 0",
        f"rename({old}, {new}) = 0",
        f'write({fd(3, "/data/b")}(deleted), "{hexed("d")}", 1) = 1',
    )
    assert contents(replay) == {"b": b"abcd"}
    assert replay.disk.names["b"].durable == b"abc"
    assert replay.disk.pending == 2
    replay.do(Call("unlink", (new,), 0))
    assert contents(replay) == {}
    replay.do(Call("sync", (), 0))
    assert replay.disk.pending == 0


def test_the_witness_and_files_elsewhere():
    replay = replayed(
        f'openat(AT_FDCWD, "{hexed("/witness")}", O_WRONLY|O_CREAT) = {fd(9, "/witness")}',
        f'write({fd(9, "/witness")}, "{hexed("A001")}", 4) = 4',
        f"fsync({fd(9, '/witness')}) = 0",
        f'openat(AT_FDCWD, "{hexed("/tmp/x")}", O_WRONLY|O_CREAT) = {fd(8, "/tmp/x")}',
        f'write({fd(8, "/tmp/x")}, "{hexed("A001")}", 4) = 4',
        f'mkdir("{hexed("/tmp/y")}", 0777) = 0',
    )
    assert bytes(replay.told) == b"A001"
    assert contents(replay) == {}


@pytest.mark.parametrize(
    "line",
    [
        f'mkdir("{hexed("/data/sub")}", 0777) = 0',
        f'symlink("{hexed("x")}", "{hexed("/data/link")}") = 0',
        f'rename("{hexed("/tmp/x")}", "{hexed("/data/x")}") = 0',
        f"copy_file_range(7, NULL, {fd(3, '/data/a')}, NULL, 10, 0) = 10",
        f"mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, {fd(3, '/data/a')}, 0) = 0x7f00",
        f"fallocate({fd(3, '/data/a')}, FALLOC_FL_COLLAPSE_RANGE, 0, 4096) = 0",
        "io_uring_setup(8, {flags=0}) = 4",
        opening("old", "O_RDWR", 6),
        opening("sub/x", "O_RDWR|O_CREAT", 6),
    ],
)
def test_what_is_not_modelled_ends_the_replay(line):
    with pytest.raises(BadInput):
        replayed(opening("a", "O_RDWR|O_CREAT", 3), line)


def test_shared_memory_may_be_mapped():
    replayed(
        opening("a-shm", "O_RDWR|O_CREAT", 3),
        f"mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, {fd(3, '/data/a-shm')}, 0) = 0x7f00",
    )


# --- the recorder ------------------------------------------------------------------------------


def test_without_strace_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgram, match="apt-get install strace"):
        record(["true"], tmp_path / "trace")


def test_a_program_that_fails_is_quoted(tmp_path):
    with pytest.raises(NotStarted, match="no such thing"):
        record([shutil.which("bash") or "", "-c", "echo no such thing; exit 3"], tmp_path / "t")


def test_a_recording_read_and_done_again(tmp_path):
    folder, trace = tmp_path / "data", tmp_path / "trace"
    folder.mkdir()
    script = f"cd {folder}; echo one >a; echo two >>a; mv a b; echo three >a; rm a; echo -n >c"
    record([shutil.which("bash") or "", "-c", script], trace)
    replay = Replay(folder, tmp_path / "witness")
    with trace.open(encoding="ascii") as lines:
        for call in read_calls(lines):
            replay.do(call)
    assert contents(replay) == {"b": b"one\ntwo\n", "c": b""}
    assert (folder / "b").read_bytes() == b"one\ntwo\n"
