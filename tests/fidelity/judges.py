"""The evaluators that ours is compared with: where each is installed, and what it answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.kit.console import UserError
from tests.fidelity import mapped, settled
from tests.fidelity.cases import Case

HERE = Path(__file__).parent
SIMULATE, MAPPER = Path("build/fidelity"), Path("build/fidelity-principalmapper")


@dataclass(frozen=True)
class Judge:
    """Another evaluator.

    first: the number of its first case, so that no two judges see the same cases
    fits: whether it knows everything that a case has
    settled: why a page of AWS says otherwise than it does, by a name of pages; "" where none does
    sample: some of its answers, which the tests decide again
    """

    first: int
    install: Callable[[], None]
    answers: Callable[[Iterable[Case]], list[str]]
    fits: Callable[[Case], bool]
    settled: Callable[[Case, str], str]
    pages: Mapping[str, str]
    sample: Path


def write(folder: Path, cases: Iterable[Case]) -> str:
    (folder / "cases.jsonl").write_text("".join(f"{case.as_json()}\n" for case in cases), encoding="utf-8")
    return "cases.jsonl"


def install_simulate() -> None:
    """iam-simulate, from npm; nothing where it is there already."""
    SIMULATE.mkdir(parents=True, exist_ok=True)
    for file in (HERE / "other").iterdir():
        shutil.copy(file, SIMULATE)
    lock, installed = HERE / "other/package-lock.json", SIMULATE / "node_modules" / "installed.json"
    if installed.exists() and installed.read_text() == lock.read_text():
        return
    if shutil.which("npm") is None:
        raise UserError("npm is not installed: iam-simulate runs on Node.js 18 or newer")
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=SIMULATE, check=True)
    shutil.copy(lock, installed)


def simulated(cases: Iterable[Case]) -> list[str]:
    """Allowed, ExplicitlyDenied or ImplicitlyDenied, for each case."""
    done = run(["node", "decide.mjs", write(SIMULATE, cases)], SIMULATE)
    found = [json.loads(line) for line in done]
    for number, answer in enumerate(found):
        if "error" in answer or answer["ignored"]:
            raise UserError(f"iam-simulate cannot decide case {number} of these: {json.dumps(answer)[:500]}")
    return [answer["result"] for answer in found]


def install_mapper() -> None:
    """principalmapper, from PyPI, in an environment of its own; nothing where it is there already."""
    lock, installed = HERE / "mapper/requirements.txt", MAPPER / "installed.txt"
    if installed.exists() and installed.read_text() == lock.read_text():
        return
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(MAPPER)], check=True)
    python = str(MAPPER / "bin/python")
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(lock)], check=True
    )
    shutil.copy(lock, installed)


def mapped_answers(cases: Iterable[Case]) -> list[str]:
    """Allowed or Denied, for each case."""
    return run(["bin/python", str((HERE / "mapper/decide.py").resolve()), write(MAPPER, cases)], MAPPER)


def run(command: list[str], folder: Path) -> list[str]:
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()


JUDGES = {
    "iam-simulate": Judge(
        0, install_simulate, simulated, lambda case: True, settled.settled, settled.PAGES, HERE / "sample.jsonl"
    ),
    "principalmapper": Judge(
        10_000_000, install_mapper, mapped_answers, mapped.fits, mapped.settled, mapped.PAGES, HERE / "mapped.jsonl"
    ),
}
