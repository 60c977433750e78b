"""The prepared Python behaves as the real one, and a program in it has nothing but what its build gave it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from localaws.services.codebuild import prepared
from localaws.services.codebuild.shell import SYSTEM_PATH, Interrupted, Shell
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a prepared Python on Linux alone")
SECRET = "wJalrXUtnFEMI-of-one-build"
SEEN = """\
import json, os, sys
print(json.dumps({"loaded": "boto3" in sys.modules, "parent": os.getppid(), "argv": sys.argv, "path": sys.path,
    "prefix": sys.prefix, "executable": sys.executable, "name": __name__, "file": globals().get("__file__"),
    "environment": dict(os.environ), "folder": os.getcwd(), "umask": os.umask(0), "flags": list(sys.flags),
    "open": sorted(name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")),
    "main": sys.modules["__main__"].__name__, "orig_argv": sys.orig_argv[1:], "base": sys.base_prefix}))
"""


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Python:
    """A build's Python, and a folder to work in."""

    programs: Path
    folder: Path

    def run(self, command: str, variables: Mapping[str, str] | None = None) -> Ran:
        environment = {"PATH": f"{self.programs}:{SYSTEM_PATH}", **prepared.ENVIRONMENT, **(variables or {})}
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=self.folder, env=environment, capture_output=True, text=True
        )
        return Ran(done.returncode, self.same(done.stdout), self.same(done.stderr))

    def same(self, text: str) -> str:
        """The text without what tells this Python from another: its folder, and the lines of Python's own files."""
        text = text.replace(str(self.programs.parent), "PYTHON").replace(str(self.folder), "FOLDER")
        return re.sub(r'  File "[^"]*(prepared_python\.py|runpy>?)".*\n(    .*\n)*', "", text)

    def seen(self, command: str, variables: Mapping[str, str] | None = None) -> dict[str, object]:
        ran = self.run(command, variables)
        assert ran.status == 0, ran.err
        found: dict[str, object] = json.loads(ran.out)
        return found


def python(folder: Path, packages: Path, confined: bool) -> Python:
    work = folder / "work"
    (work / "package").mkdir(parents=True)
    for name in ("seen.py", "package/__main__.py", "package/part.py"):
        (work / name).write_text(SEEN, encoding="utf-8")
    return Python(prepared.make(folder / "python", packages, ["python3.12"], confined), work)


@pytest.fixture
def ready(tmp_path: Path) -> Python:
    made = python(tmp_path / "ready", tmp_path / "packages", confined=False)
    address = prepared.start()
    assert address is not None
    until(address.exists)
    return made


@pytest.fixture
def real(tmp_path: Path) -> Python:
    return python(tmp_path / "real", tmp_path / "packages", confined=True)


@pytest.mark.parametrize(
    "command",
    [
        "python seen.py",
        "python3 seen.py a 'b c' --d ''",
        "python3.12 ./package/part.py",
        "python -m package x",
        "python -m package.part",
        "cd package && umask 027 && python part.py",
    ],
)
def test_a_program_sees_what_it_sees_in_the_real_python(command: str, ready: Python, real: Python) -> None:
    variables = {"AWS_SECRET_ACCESS_KEY": SECRET, "NAME": "välue with\nlines"}
    there, here = ready.seen(command, variables), real.seen(command, variables)
    assert there.pop("loaded") is True
    assert here.pop("loaded") is False
    assert there.pop("parent") != here.pop("parent")
    for found in (there, here):
        assert found.pop("environment")["PATH"] == f"PYTHON/bin:{SYSTEM_PATH}"  # type: ignore[index]
    assert there == here


def test_a_program_has_the_environment_of_its_build_and_no_other(ready: Python) -> None:
    shown = ready.seen("python seen.py", {"AWS_SECRET_ACCESS_KEY": SECRET})["environment"]
    assert isinstance(shown, dict)
    assert {*shown} - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "AWS_SECRET_ACCESS_KEY", *prepared.ENVIRONMENT}
    assert "AWS_SECRET_ACCESS_KEY" not in ready.run("python seen.py").out
    assert SECRET not in ready.run("python -c \"print(open('/proc/self/environ').read())\"").out


def test_the_process_that_is_forked_never_holds_credentials(ready: Python) -> None:
    """Its memory is searched: what a build was given is in the build's copy alone."""
    server = ready.seen("python seen.py", {"AWS_SECRET_ACCESS_KEY": SECRET})["parent"]
    found = writable_memory(Path(f"/proc/{server}"))
    assert b"prepared_python.py" in found
    assert SECRET.encode() not in found
    assert b"AWS_SECRET_ACCESS_KEY=" not in Path(f"/proc/{server}/environ").read_bytes()


def writable_memory(process: Path) -> bytes:
    ranges = re.findall(r"^(\w+)-(\w+) rw", (process / "maps").read_text(), re.MULTILINE)
    found = []
    with (process / "mem").open("rb", buffering=0) as memory:
        for begin, end in ((int(a, 16), int(b, 16)) for a, b in ranges):
            memory.seek(begin)
            found.append(memory.read(end - begin) or b"")
    return b"".join(found)


ENDS = {
    "nothing": "pass",
    "a status": "import sys; sys.exit(3)",
    "a message": "import sys; sys.exit('wrong')",
    "an error": "def fail():\n    raise ValueError('wrong')\nfail()",
    "a mistake in the program": "def (:",
    "an interrupt": "raise KeyboardInterrupt",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "an immediate end": "import os; print('lost'); os._exit(4)",
    "at exit": "import atexit; atexit.register(print, 'last'); print('first')",
    "a thread": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()",
    "both streams": "import sys; print('out'); print('err', file=sys.stderr)",
    "a hook": "import sys; sys.excepthook = lambda *found: print('hook', found[1]); 1 / 0",
    "a process": "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'print(5)'], text=True))",
    "several processes": "import multiprocessing\nif __name__ == '__main__':\n"
    "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n        print(pool.map(abs, [-1]))",
    "installed packages": "import importlib.metadata as m; print(sorted(d.name for d in m.distributions()))",
    "a client": "import boto3; c = boto3.client('s3', region_name='us-east-1', aws_access_key_id='a', "
    "aws_secret_access_key='b')\nprint(c.generate_presigned_url('get_object', {'Bucket': 'b', 'Key': 'k'})[:40])",
}


@pytest.mark.parametrize("how", ENDS)
def test_a_program_ends_as_in_the_real_python(how: str, ready: Python, real: Python) -> None:
    for one in (ready, real):
        (one.folder / "program.py").write_text(ENDS[how], encoding="utf-8")
    assert ready.run("python program.py") == real.run("python program.py")


@pytest.mark.parametrize(
    "command",
    [
        *(
            "python -c 'print(1)'",
            "python -V",
            "echo 'print(2)' | python",
            "echo 'print(2)' | python -",
            "python -u seen.py",
        ),
        *("python -m absent", "python absent.py", "mkdir d.py; python d.py", "python -m unittest -h", "pip --version"),
        *("python -m venv made && made/bin/python -c 'import sys; print(sys.prefix)'", "echo hi | python -m base64"),
        *("python -m json.tool absent.json", "python -E seen.py > /dev/null", "python package/"),
    ],
)
def test_every_other_use_is_that_of_the_real_python(command: str, ready: Python, real: Python) -> None:
    first, second = ready.run(command), real.run(command)
    assert re.sub(r'"parent": \d+', "", first.out) == re.sub(r'"parent": \d+', "", second.out)
    assert (first.status, first.err) == (second.status, second.err)


@pytest.mark.parametrize(
    ("prepare", "variables"),
    [
        ("touch json.py", {}),  # hides one that is loaded
        ("mkdir yaml && touch yaml/__init__.py", {}),
        (
            "cd ../python/lib/python*/site-packages && touch six.py && cd - > /dev/null",
            {},
        ),  # the build installed a package
        ("true", {"PYTHONPATH": "/nowhere"}),
        ("true", {"PYTHONDONTWRITEBYTECODE": ""}),
        ("true", {"LANG": "POSIX"}),
        ("true", {"LC_ALL": "C"}),
        ("ulimit -n 200", {}),
        ("exec 3< seen.py", {}),
    ],
)
def test_what_could_make_a_difference_leads_to_the_real_python(
    prepare: str, variables: dict[str, str], ready: Python
) -> None:
    assert ready.seen("python seen.py")["loaded"] is True
    (ready.folder / "which.py").write_text("import os, sys; print('unittest.mock' in sys.modules)", encoding="utf-8")
    assert ready.run(f"{prepare}; python which.py", variables).out == "False\n"


def test_a_build_that_comes_before_it_has_loaded_runs_the_real_python(
    tmp_path: Path, ready: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "start", lambda: tmp_path / "not-yet")
    early = python(tmp_path / "early", tmp_path / "packages", confined=False)
    assert early.seen("python seen.py")["loaded"] is False


def test_a_confined_build_has_the_real_python(real: Python) -> None:
    assert (real.programs / "python").resolve() == Path(sys.executable).resolve()
    assert real.seen("python seen.py")["loaded"] is False


def test_there_is_none_where_the_system_could_not_start_the_shim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", f"/{'long/' * 30}python")
    assert prepared.start.__wrapped__() is None
    monkeypatch.setattr(sys, "executable", "/My Documents/python")
    assert prepared.start.__wrapped__() is None


@pytest.mark.parametrize("ignores", [False, True])
def test_a_program_of_a_build_that_is_stopped_ends(ignores: bool, tmp_path: Path, ready: Python) -> None:
    (ready.folder / "long.py").write_text(
        "import os, pathlib, signal, time\n"
        + ("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if ignores else "")
        + "pathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(60)\n",
        encoding="utf-8",
    )
    began = ready.folder / "pid"
    environment = {"PATH": f"{ready.programs}:{SYSTEM_PATH}", **prepared.ENVIRONMENT}
    shell = Shell(tmp_path / "shell", ready.folder, environment, ["/bin/sh"], print, lambda: "STOPPED" * began.exists())
    with pytest.raises(Interrupted, match="STOPPED"):
        shell.run("python long.py")
    process = int(began.read_text())
    until(lambda: not Path(f"/proc/{process}").exists())


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = "from localaws.services.codebuild import prepared; print(prepared.start()); input()"
    owner = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    address = Path(owner.stdout.readline().strip())
    until(address.exists)
    assert address.parent.stat().st_mode & 0o777 == 0o700
    owner.kill()
    owner.communicate()
    until(lambda: not address.parent.exists())
