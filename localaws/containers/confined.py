"""Runs a program in a room of its own: namespaces of Linux, in which an ordinary user may arrange files.

    confined.py hold '{"sees": […], "writes": […], "hides": […], "links": {…}, "shows": {…}}'
        makes the room, says the id of its first process, and keeps it while stdin is open
    confined.py enter PID ENVIRONMENT ARGUMENT…
        runs a program in it, and ends as the program ends

The room has the system's programs and the folders that it sees, read-only; the folders that it writes; empty /tmp,
/run and /home, and nothing in the folders that it hides; the folders that it shows at another place (/opt/ml),
writable there; a /proc of its own processes alone. Nothing else of this
machine's files is there, and no program in it gets a right that it does not begin with. user_namespaces(7),
mount_namespaces(7), pid_namespaces(7), pivot_root(2).

It runs with nothing but the standard library and `python -I -S`, since the program's own environment (PYTHONPATH,
LD_PRELOAD) must not reach it: ENVIRONMENT is the descriptor of a file with it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

NEW_FILES, NEW_IPC, NEW_USER, NEW_PIDS = 0x00020000, 0x08000000, 0x10000000, 0x20000000
READ_ONLY, NO_SUID, NO_DEV, NO_EXEC, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2
KEPT = NO_SUID | NO_DEV | NO_EXEC | READ_ONLY | 1024 | 2048  # flags of a file system that may not be taken away
RELATIME = {4096: 1 << 21}  # statvfs's flag, and mount's
SET_NO_NEW_PRIVILEGES, DROP_FROM_BOUNDS, SET_DUMPABLE = 38, 24, 4
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "opt", "nix", "gnu")
DEVICES = ("null", "zero", "full", "random", "urandom")
EMPTY = ("/tmp", "/run", "/home", "/var/tmp", "/dev/shm")
LIBC = ctypes.CDLL(None, use_errno=True)


def done(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str, flags: int) -> None:
    LIBC.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
    result = LIBC.mount(source.encode(), target.encode(), kind.encode(), flags, None)
    done(result, f"mount {target.removeprefix('/new')}")


def pivot_root(new: str, old: str) -> None:
    number = PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, f"pivot_root is not known for {os.uname().machine}")
    done(LIBC.syscall(ctypes.c_long(number), new.encode(), old.encode()), "pivot_root")


def bind(path: str, writable: bool) -> None:
    """Show a folder or file of the machine at the same place in the room."""
    source, target = Path(f"/old{path}"), Path(f"/new{path}")
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.touch()
    mount(str(source), str(target), "", BIND | RECURSIVE)
    if not writable:
        flags = os.statvfs(target).f_flag
        kept = flags & KEPT | sum(ours for theirs, ours in RELATIME.items() if flags & theirs)
        mount("none", str(target), "", BIND | REMOUNT | READ_ONLY | kept)


def empty(path: str) -> None:
    Path(f"/new{path}").mkdir(parents=True, exist_ok=True)
    mount("tmpfs", f"/new{path}", "tmpfs", NO_SUID | NO_DEV)


def bind_system(name: str, places: list[str]) -> None:
    """Show a folder of the system, but for what these places below it are to hide."""
    found = Path("/old", name)
    if not found.is_dir() or (places and found.is_symlink()):
        return
    if found.is_symlink():
        Path("/new", name).symlink_to(found.readlink())
        return
    if not places:
        bind(f"/{name}", writable=False)
        return
    own = {place.split("/")[2] for place in places}
    Path("/new", name).mkdir()
    for path in sorted(path for path in found.iterdir() if path.name not in own):
        if path.is_symlink():
            Path("/new", name, path.name).symlink_to(path.readlink())
        else:
            bind(f"/{name}/{path.name}", writable=False)


def furnish(sees: list[str], writes: list[str], hides: list[str], links: dict[str, str], shows: dict[str, str]) -> None:
    """Arrange the files of the room and close its door."""
    mount("none", "/", "", RECURSIVE | PRIVATE)
    mount("tmpfs", "/tmp", "tmpfs", NO_SUID | NO_DEV)
    for name in ("/tmp/new", "/tmp/old"):
        Path(name).mkdir()
    pivot_root("/tmp", "/tmp/old")
    os.chdir("/")
    mount("/new", "/new", "", BIND)
    for name in SYSTEM:
        bind_system(name, [path for path in shows if path.startswith(f"/{name}/")])
    for path in (*EMPTY, *(path for path in hides if Path(f"/new{path}").is_dir())):
        empty(path)
    for name in DEVICES:
        bind(f"/dev/{name}", writable=True)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        Path("/new/dev", name).symlink_to(target)
    for path in sorted({*sees, *writes}):
        bind(path, writable=path in writes)
    for path, folder in shows.items():
        Path(f"/new{path}").mkdir(parents=True)
        mount(f"/old{folder}", f"/new{path}", "", BIND | RECURSIVE)
    for path, real in links.items():
        if not Path(f"/new{path}").exists():
            Path(f"/new{path}").parent.mkdir(parents=True, exist_ok=True)
            Path(f"/new{path}").symlink_to(real)
    Path("/new/proc").mkdir()
    with suppress(OSError):  # in a container whose /proc is covered in part: the room has none
        mount("proc", "/new/proc", "proc", NO_SUID | NO_DEV | NO_EXEC)
    done(LIBC.umount2(b"/old", DETACH), "umount2")
    os.chdir("/new")
    pivot_root(".", ".")
    done(LIBC.umount2(b".", DETACH), "umount2")
    os.chdir("/")


def give_up_rights() -> None:
    """No capability is left after the next program begins, and no program gives one."""
    for capability in range(64):
        if LIBC.prctl(DROP_FROM_BOUNDS, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break
    done(LIBC.prctl(SET_NO_NEW_PRIVILEGES, ctypes.c_ulong(1), 0, 0, 0), "prctl")


def hold(spec: dict[str, Any]) -> None:
    """The room, until stdin ends: then every program in it ends too, as the first one does."""
    user, group = os.getuid(), os.getgid()
    done(LIBC.unshare(NEW_USER | NEW_FILES | NEW_PIDS | NEW_IPC), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    ready, said = os.pipe()
    first = os.fork()
    if first:
        os.close(said)
        with os.fdopen(ready) as file:
            problem = file.read()
        if problem:
            sys.exit(problem)
        print(first, flush=True)
        os.waitpid(first, 0)
        return
    try:
        furnish(**spec)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whatever ends in the room is forgotten
        LIBC.prctl(SET_DUMPABLE, ctypes.c_ulong(1), 0, 0, 0)  # its user may look for the way in
    except OSError as error:
        os.write(said, str(error.strerror or error).encode())
        os._exit(1)
    os.close(said)
    os.close(1)
    while os.read(0, 1):
        pass
    os._exit(0)


def enter(holder: str, environment: str, arguments: list[str]) -> NoReturn:
    """Run the program in the room, and end as it ends."""
    folder = Path.cwd()
    with os.fdopen(int(environment), encoding="utf-8") as file:
        file.seek(0)
        variables = json.load(file)
    kinds = (("user", NEW_USER), ("ipc", NEW_IPC), ("pid", NEW_PIDS), ("mnt", NEW_FILES))
    doors = [(os.open(f"/proc/{holder}/ns/{name}", os.O_RDONLY), kind) for name, kind in kinds]
    for door, kind in doors:
        done(LIBC.setns(door, kind), "setns")
        os.close(door)
    program = os.fork()
    if program == 0:
        try:
            os.chdir(folder)
        except OSError:
            os.chdir("/")
        give_up_rights()
        try:
            os.execve(arguments[0], arguments, variables)
        except OSError as error:
            print(f"{arguments[0]}: {error.strerror}", file=sys.stderr, flush=True)
            os._exit(127)
    os.close(0)
    _, status = os.waitpid(program, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        os.kill(os.getpid(), -code)  # as the program ended: Python answers none of the signals that end one
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        hold(json.loads(sys.argv[2]))
    else:
        enter(sys.argv[2], sys.argv[3], sys.argv[4:])
