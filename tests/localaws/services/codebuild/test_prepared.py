"""A build's `python -m` that is forked from a prepared Python behaves as one that has just started."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from localaws.services.codebuild import prepared
from localaws.services.codebuild.shell import make_python
from tests.support import NASTY
from tests.support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not prepared.possible(), reason="no prepared Python on this machine: builds start one each"),
]
NEW, FORKED = "python-new", "python-forked"  # the names of their folders too
ASK = """\
import json, os, random, signal, sys
known = {"loaded": "boto3" in sys.modules, "random": random.random(), "parent": os.getppid()}
import boto3
client = boto3.client("sagemaker", region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-")
names = ("argv", "orig_argv", "path", "prefix", "exec_prefix", "base_prefix", "executable", "flags")
known |= {"sys": {name: str(getattr(sys, name)) for name in names}, "environment": dict(os.environ)}
known |= {"folder": os.getcwd(), "input": sys.stdin.read(), "encodings": [sys.stdout.encoding, sys.stderr.errors]}
known |= {"file": boto3.__file__, "globals": sorted(globals()), "name": __name__, "spec": __spec__.name}
known |= {"endpoint": client.meta.endpoint_url, "descriptors": sorted(map(int, os.listdir("/proc/self/fd")))[:3]}
known |= {"handled": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)]}
print(json.dumps(known))
"""
PROGRAMS = {
    "ask": ASK,
    "leave": "import sys; print('out'); print('err', file=sys.stderr); sys.exit(int(sys.argv[1]))",
    "fail": "def work():\n    raise ValueError('no')\nwork()",
    "broken": "def work(:\n",
    "break": "import broken",
    "kill": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "later": "import atexit; atexit.register(print, 'at the end')",
    "end": "import atexit, colorsys, sys, threading, time, weakref\nclass Kept:\n"
    "    def __del__(self): print('taken down', flush=True)\n"
    "colorsys.kept, mine, written = Kept(), Kept(), open('written', 'w')\nwritten.write('all of it')\n"
    "atexit.register(print, 'at the end')\nweakref.finalize(mine, print, 'finalized')\n"
    "threading.Thread(target=lambda: time.sleep(0.1) or print('waited for')).start()\n"
    "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nsys.exit(sys.argv[1:] == ['bad'])",
    "full": "import sys; sys.stdout = open('/dev/full', 'w'); print('lost')",
    "once": "import os, time; print(os.getpid(), file=open('runs', 'a'), flush=True); time.sleep(60)",
    "open": "import os, resource, sys; print(os.nice(0), resource.getrlimit(resource.RLIMIT_NOFILE));"
    "print([one and (one.name, one.mode, one.seekable()) for one in (sys.stdin, sys.stdout, sys.stderr)]);"
    "print(sorted(map(int, os.listdir('/proc/self/fd')))); open('made', 'w')",
    "pipe": "import os, signal as s; s.signal(s.SIGPIPE, s.SIG_DFL); os.kill(os.getpid(), s.SIGPIPE)",
    "wait": "import os, time; print(os.getpid(), flush=True); time.sleep(60)",
}


@pytest.fixture(scope="module")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Both, of one build each, in folders of the same length with every character that a path may have."""
    folder = tmp_path_factory.mktemp("pythons")
    clients = {NEW: "", FORKED: prepared.client()}
    assert clients[FORKED]
    return {
        kind: make_python(folder / NASTY / kind, folder / NASTY / ".image", ("python3.12",), clients[kind]) / "python"
        for kind in clients
    }


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, text in PROGRAMS.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def run(python: Path, place: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**prepared.ENVIRONMENT, "PATH": f"{python.parent}:/usr/bin:/bin", "ODD": NASTY, **variables}
    line = [str(python), *arguments]
    return subprocess.run(line, cwd=place, env=environment, input="given", capture_output=True, text=True, timeout=60)


def neutral(text: str) -> str:
    return text.replace(FORKED, NEW)


def asked(python: Path, place: Path, *options: str, **variables: str) -> dict[str, Any]:
    done = run(python, place, *options, "-m", "ask", "--one", NASTY, **variables)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(neutral(done.stdout))
    return found


def test_it_finds_what_a_new_one_finds_but_for_what_is_loaded(pythons: Mapping[str, Path], place: Path) -> None:
    new, forked, again = (asked(pythons[kind], place) for kind in (NEW, FORKED, FORKED))
    assert (new.pop("loaded"), forked.pop("loaded"), again.pop("loaded")) == (False, True, True)
    assert len({found.pop("random") for found in (new, forked, again)}) == 3
    assert forked.pop("parent") == again.pop("parent") != new.pop("parent") == os.getpid()
    for found in (forked, again):  # packages are the same files, at another place
        assert Path(found.pop("file")).resolve() == Path(new["file"]).resolve()
    new.pop("file")
    assert forked == again == new


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-m", "leave", "0"), 0),
        (("-m", "leave", "7"), 7),
        (("-m", "fail"), 1),
        (("-m", "broken"), 1),
        (("-m", "break"), 1),
        (("-m", "kill"), -signal.SIGKILL),
        (("-m", "pipe"), -signal.SIGPIPE),
        (("-m", "later"), 0),
        (("-m", "end"), 0),
        (("-m", "end", "bad"), 1),
        (("-m", "full"), 120),
        (("-m", "leave", "300"), 44),
        (("-m", "unknown"), 1),
        (("-c", "import sys; print(sys.argv, sys.prefix)", "one"), 0),
        (("leave.py", "5"), 5),
        (("-m",), 2),
    ],
)
def test_it_prints_and_ends_as_a_new_one(
    pythons: Mapping[str, Path], place: Path, arguments: tuple[str, ...], code: int
) -> None:
    new, forked = (run(pythons[kind], place, *arguments) for kind in (NEW, FORKED))
    assert (new.returncode, forked.returncode) == (code, code)
    assert (neutral(forked.stdout), neutral(forked.stderr)) == (new.stdout, new.stderr)
    assert "end" not in arguments or (place / "written").read_text() == "all of it"


@pytest.mark.parametrize("variable", ["PYTHONPATH", "LANG"])
def test_a_variable_that_a_python_reads_at_its_start_gets_a_new_one(
    pythons: Mapping[str, Path], place: Path, variable: str
) -> None:
    new, forked = (asked(pythons[kind], place, **{variable: "C"}) for kind in (NEW, FORKED))
    assert forked["loaded"] is False
    assert {**forked, "random": 0, "parent": 0} == {**new, "random": 0, "parent": 0}


def test_without_its_own_folder_it_finds_what_is_on_pythonpath(
    pythons: Mapping[str, Path], place: Path, tmp_path: Path
) -> None:
    """As the tests of a project are run (pipeline/own_tests.py)."""
    variables = {"PYTHONPATH": f"{place}:{tmp_path / 'absent'}/../absent:{place}"}
    new, forked = (asked(pythons[kind], tmp_path / "..", "-P", **variables) for kind in (NEW, FORKED))
    assert (new["loaded"], forked["loaded"]) == (False, True)
    assert "safe_path=True" in forked["sys"]["flags"]
    for found in (new, forked):
        assert found["sys"]["path"].startswith(f"['{place}', '{tmp_path / 'absent'}', ")
        for other in ("loaded", "random", "parent", "file"):
            found.pop(other)
    assert forked == new


@pytest.mark.parametrize("there", ["boto3.py", "sitecustomize.py"])
def test_a_module_of_the_same_name_on_pythonpath_or_in_a_folder_that_is_named_gets_a_new_one(
    pythons: Mapping[str, Path], place: Path, there: str
) -> None:
    (place / "others").mkdir()
    (place / "others" / there).write_text("print('mine')")
    assert "mine\n" in run(pythons[FORKED], place, "-m", "ask", PYTHONPATH=str(place / "others")).stdout
    (place / "others" / "test_ask.py").write_text("import boto3, boto3.no")
    tests = run(pythons[FORKED], place, "-P", "-m", "unittest", "discover", "--start-directory", "others")
    assert ("'boto3' is not a package" in tests.stderr) is (there == "boto3.py")


def test_a_module_of_the_same_name_beside_it_or_an_installed_package_gets_a_new_one(
    pythons: Mapping[str, Path], place: Path
) -> None:
    (place / "botocore.py").touch()
    assert "'botocore' is not a package" in run(pythons[FORKED], place, "-m", "ask").stderr
    (place / "botocore.py").unlink()
    [libraries] = pythons[FORKED].parent.parent.glob("lib/*/site-packages")
    (libraries / "boto3.py").touch()
    try:
        assert "has no attribute 'client'" in run(pythons[FORKED], place, "-m", "ask").stderr
    finally:
        (libraries / "boto3.py").unlink()
    assert asked(pythons[FORKED], place)["loaded"] is True


def test_a_person_s_own_has_every_package_of_this_one(place: Path) -> None:
    (place / "more.py").write_text("import sys, moto; print('boto3' in sys.modules, moto.__file__, sys.path[0])")
    found = run(Path(prepared.python()), place, "-m", "more").stdout.split()
    assert found == ["True", str(Path(sysconfig.get_path("purelib"), "moto/__init__.py")), str(place)]


def test_a_program_ends_with_the_command_that_started_it(pythons: Mapping[str, Path], place: Path) -> None:
    line = [str(pythons[FORKED]), "-m", "wait"]
    with subprocess.Popen(line, cwd=place, env=prepared.ENVIRONMENT, stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        program = int(command.stdout.readline())
        assert program != command.pid
        command.terminate()
    assert until(lambda: not Path(f"/proc/{program}").exists(), 30)


def test_without_the_prepared_python_a_new_one_is_started(place: Path, tmp_path: Path) -> None:
    client = prepared.client().replace("/socket", "/gone")
    python = make_python(tmp_path / "python", tmp_path / ".image", (), client) / "python"
    assert asked(python, place)["loaded"] is False


@pytest.mark.parametrize("closed", ["", "<&-", ">&-", "2>&-", "< open.py 2> /dev/null"])
def test_it_has_the_limits_and_the_streams_of_its_command_and_no_other_program_s(
    pythons: Mapping[str, Path], place: Path, closed: str
) -> None:
    found = []
    with subprocess.Popen([str(pythons[FORKED]), "-m", "wait"], cwd=place, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        for python in pythons.values():
            line = ["/bin/sh", "-c", f'umask 027; ulimit -n 99; nice -n 3 "$0" -m open {closed}', str(python)]
            done = subprocess.run(line, cwd=place, capture_output=True, text=True, env=prepared.ENVIRONMENT, timeout=60)
            found.append((done.returncode, done.stdout, done.stderr, (place / "made").stat().st_mode & 0o777))
            (place / "made").unlink()
        other.terminate()
    assert found[0] == found[1]
    assert found[0][3] == 0o640


def test_a_program_is_not_started_twice_where_the_prepared_python_is_ended(place: Path, tmp_path: Path) -> None:
    client, server, _ = prepared._start()
    assert server is not None
    python = make_python(tmp_path / "python", tmp_path / ".image", (), client) / "python"
    said, runs = place / "said", place / "runs"
    line = [str(python), "-m", "once"]
    with (
        said.open("w") as errors,
        subprocess.Popen(line, cwd=place, env=prepared.ENVIRONMENT, stderr=errors) as command,
    ):
        assert until(lambda: runs.is_file() and runs.read_text(), 30)
        server.kill()
    os.kill(int(runs.read_text()), signal.SIGKILL)  # the number of one program alone
    assert (command.returncode, said.read_text()) == (1, "the prepared Python was ended, and with it this program\n")


def test_what_says_nothing_or_nonsense_keeps_no_other_waiting(pythons: Mapping[str, Path], place: Path) -> None:
    [address] = re.findall(r"connect\(b'(.*)'\)", prepared.client())
    with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as wrong:
        silent.connect(address)
        wrong.connect(address)
        socket.send_fds(wrong, [b"\0\0\0\3"], [0, 1, 2])
        wrong.sendall(b"???")
        assert asked(pythons[FORKED], place)["loaded"] is True


WORK = (
    "from localaws.services.codebuild import prepared; prepared.client(); print(prepared._started[1].pid, flush=True)"
)


@pytest.mark.parametrize("end", ["", "; import os; os.kill(os.getpid(), 9)"])
def test_it_ends_with_the_process_that_started_it_and_leaves_nothing(end: str, tmp_path: Path) -> None:
    odd = tmp_path / "a\udcff{b}'\n"  # no text
    odd.mkdir()
    environment = {**os.environ, "TMPDIR": str(odd)}
    done = subprocess.run([sys.executable, "-c", WORK + end], env=environment, capture_output=True, text=True)
    assert until(lambda: not Path(f"/proc/{int(done.stdout)}").exists() and not list(odd.iterdir()), 30)


def test_a_folder_that_holds_no_socket_leaves_builds_to_start_a_python_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    for place in (deep, tmp_path / "absent"):
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        assert prepared._start() == prepared.NOTHING
    assert list(deep.iterdir()) == []
