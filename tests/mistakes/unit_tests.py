"""Runs the unit tests of the pipeline's steps on a copy of the kit with a mistake in it.

To start Python and to load the packages of others takes longer than these tests. So one Python loads those packages,
and nothing of the kit, and forks itself for each mistake.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.kit.bundle import pack
from tests.mistakes import ROOT

STEP_TESTS = sorted(p for p in (ROOT / "tests/pipeline").glob("*.py") if p.name != "test_deploy_repository.py")
OPTIONS = ["-q", "--tb=native", "-p", "no:cacheprovider", "-p", "no:warnings", "-p", "no:randomly", "-n0"]
# What the prepared Python runs. Each fork loads the kit and its tests again, from the copy first.
PROGRAM = f"""\
import importlib, json, os, pathlib, sys
sys.path.append({str(ROOT)!r})
import pytest

def forked(work):
    number = os.fork()
    if number == 0:
        os._exit(work() or 0)
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])

def run(options, output):
    stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(stream, 1), os.dup2(stream, 2)
    status = pytest.main(options)
    sys.stdout.flush(), sys.stderr.flush()
    return int(status)

def learn():
    run({[*OPTIONS, "--collect-only", "tests/pipeline"]!r}, os.devnull)
    ours = (os.getcwd(), {str(ROOT)!r})
    files = {{name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}}
    names = [name for name, file in files.items() if file and ("site-packages" in file or not file.startswith(ours))]
    pathlib.Path("loaded.json").write_text(json.dumps(names))

forked(learn)
for name in json.loads(pathlib.Path("loaded.json").read_text()):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
print("ready", flush=True)
for line in sys.stdin:
    print(forked(lambda: run(*json.loads(line))), flush=True)
"""


class Prepared:
    """The copy, and the Python that runs its tests with these variables."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.copy, self.output, self.made = folder / "unit-tests", folder / "unit-tests.txt", 0
        sources = pack.read_tree(ROOT)
        others = (ROOT / "tests/__init__.py", ROOT / "environment.example.yaml")
        for path in (*STEP_TESTS, *(ROOT / "tests/support").glob("*.py"), *others):
            sources[path.relative_to(ROOT).as_posix()] = path.read_bytes()
        for name, content in sources.items():
            (self.copy / name).parent.mkdir(parents=True, exist_ok=True)
            (self.copy / name).write_bytes(content)
        command, pipe = [sys.executable, "-c", PROGRAM], subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=self.copy, env=variables, stdin=pipe, stdout=pipe, text=True)
        assert self.answer() == "ready"

    def run(self, file: str, text: str, tests: str = "") -> tuple[int, str]:
        """With a file's text as given: how these tests (or all) ended, and what they printed."""
        place = self.copy / file
        original, time = place.read_bytes(), place.stat().st_mtime
        self.made += 1
        try:
            place.write_text(text, encoding="utf-8")
            os.utime(place, (self.made, self.made))  # what Python compiled of it is of another time, and not used
            options = [*OPTIONS, *([f"tests/pipeline/{name}" for name in tests.split()] or ["tests/pipeline"])]
            self.ask(json.dumps([options, str(self.output)]))
            status = int(self.answer())
        finally:
            place.write_bytes(original)
            os.utime(place, (time, time))
        return status, self.output.read_text(encoding="utf-8")

    def ask(self, line: str) -> None:
        assert self.process.stdin
        print(line, file=self.process.stdin, flush=True)

    def answer(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"the prepared Python ended with {self.process.wait()}"
        return line.strip()

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
