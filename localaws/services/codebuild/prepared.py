"""The prepared Python: a build's modules and scripts in Python, without loading boto3 again.

Half of a build's time on this machine is Python's start: boto3 is imported and the services' models are read, in every
process again. A process that has loaded both (containers/prepared_python.py) is forked instead. It is started once for
all builds of this process, and holds no credentials: each copy is given those of its own build, and nothing else.

The build's `python` is then a small program, SHIM, that asks for a copy. For all but `-m module` and a script, and
where anything of the build's own could make a difference (variables of Python, installed packages, a module with the
name of one that is loaded, limits, open files), it is the real Python. A confined build gets the real one in any case.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from localaws.services.codebuild.shell import make_python

PROGRAM = Path(__file__).parents[2] / "containers" / "prepared_python.py"
SERVICES = ("cloudformation", "codepipeline", "organizations", "s3", "sagemaker", "sagemaker-runtime", "sts")
ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}  # as a build begins (run.py)
LONGEST_LINE = 127  # bytes of a script's first line on every Linux (execve(2))
_starting = threading.Lock()
SHIM = """\
#!{base} -IS
import marshal, posix, sys

def is_file(path):
    try:
        return posix.stat(path).st_mode >> 12 == 8 and posix.access(path, 4)
    except OSError:
        return False

def simple(arguments, environment):
    if arguments[:1] == ["-m"]:
        if len(arguments) < 2 or arguments[1][:1] == "-":
            return False
    elif not arguments or arguments[0][:1] == "-" or arguments[0][-3:] != ".py" or not is_file(arguments[0]):
        return False
    own = [name for name in environment if name[:6] == b"PYTHON" or name[:4] == b"LANG" or name[:3] == b"LC_"]
    if {{name: environment[name] for name in own}} != {environment!r} or sys.argv[0][:1] != "/":
        return False
    with open("/proc/self/limits") as file:
        limits = file.read()
    return limits == {limits!r} and not {{*posix.listdir("/proc/self/fd")}} - {{"0", "1", "2", "3"}}

def status(arguments, environment):
    import _signal, _socket
    server = _socket.socket(_socket.AF_UNIX)
    server.connect({socket!r})
    source, target = posix.pipe()
    given = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2, source))
    server.sendmsg([b"0"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, given)])
    posix.close(source)
    mask = posix.umask(0)
    posix.umask(mask)
    request = marshal.dumps((sys.argv[0], arguments, environment, posix.getcwd(), mask))
    while request:
        request = request[posix.write(target, request):]
    posix.close(target)
    code, number = server.recv(2) or b"\\1\\0"
    if number:
        _signal.signal(number, _signal.SIG_DFL)
        posix.kill(posix.getpid(), number)
    return code

arguments, environment = sys.argv[1:], dict(posix.environ)
if simple(arguments, environment):
    try:
        code = status(arguments, environment)
    except OSError:
        pass
    else:
        posix._exit(code)
folder, _, name = sys.argv[0].rpartition("/")
typed = name if environment.get(b"PATH", b"").split(b":")[0].decode() == folder else sys.argv[0]
posix.execve({base!r}, [typed, *arguments], environment)
"""


def make(folder: Path, packages: Path, names: Sequence[str] = (), confined: bool = False) -> Path:
    """As make_python; what it makes asks the prepared Python first, unless the build is confined."""
    programs = make_python(folder, packages, names)
    if not confined:
        with _starting:
            address = start()
        if address:
            install(programs, address)
    return programs


@cache
def start() -> Path | None:
    """The socket of the prepared Python, which is started when it is first asked for; None where there is none.

    It is not waited for: a build that comes before it has loaded runs the real Python.
    """
    base = Path(sys.executable).resolve()
    if sys.platform != "linux" or len(f"#!{base} -IS\n".encode()) > LONGEST_LINE or " " in str(base):
        return None
    folder = Path(tempfile.mkdtemp(prefix="python-"))
    programs = make_python(folder / "python", folder / "packages", ())
    address = folder / "socket"
    server = subprocess.Popen(
        [str(programs / "python"), str(PROGRAM), str(address), *SERVICES],
        env=ENVIRONMENT,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    atexit.register(stop, server)
    return address


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the prepared Python with everything that it runs; it deletes its folder itself."""
    assert server.stdin is not None
    server.stdin.close()
    server.wait()


def install(programs: Path, address: Path) -> None:
    """Have the names of Python in a build's folder of programs ask the prepared Python first."""
    base = str(Path(sys.executable).resolve())
    environment = {name.encode(): value.encode() for name, value in ENVIRONMENT.items()}
    limits = Path("/proc/self/limits").read_text(encoding="ascii")
    text = SHIM.format(base=base, environment=environment, limits=limits, socket=str(address))
    shim = programs / ".prepared"
    shim.write_text(text, encoding="utf-8")
    shim.chmod(0o755)
    for program in programs.iterdir():
        if program.is_symlink():
            program.unlink()
            program.symlink_to(shim.name)
