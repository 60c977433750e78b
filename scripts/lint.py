"""Check everything that can be checked without running it: templates, policies, Python, YAML, notebooks, workflows.

Two checks run side by side. A slow one that found nothing is left out until one of the files that it reads, its own
code or a tool changes; --again carries out all of them. A finding that is meant has its reason beside the resource,
never here.

examples:
  make lint
  python -m scripts.lint --only cfn-lint --only parliament --again
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from awslang.template.reader import TemplateError, read
from scripts.kit.bundle import pack
from scripts.kit.bundle.template_policies import policies
from scripts.kit.console import UsageError, UserError, make_parser, paint, run, say
from scripts.kit.lint import ascii, english, sizes
from scripts.kit.lint.cache import Memory

ROOT = pack.ROOT
OWN = Path(sys.executable).parent  # this environment's programs
LINTERS = ROOT / ".venv-lint" / "bin"  # made by `make lint` from requirements/lint.txt
RULES = ROOT / "tests" / "repository" / "guard" / "promises.guard"
AT_ONCE = 2
REMEMBERED = ROOT / "build" / "lint"  # which checks found nothing
READS = {  # what decides the answers of the slow checks, configurations included
    "checkov": ("templates/*", ".checkov.y*ml"),
    "cfn-lint": ("templates/*", ".cfnlintrc*"),
    "parliament": ("templates/*",),
    "guard": ("templates/*", "tests/repository/guard/*"),
    "yamllint": ("*.yaml", "*.yml", ".yamllint*"),
    "zizmor": (".github/*", "*zizmor.yml", "*zizmor.yaml"),
    "workflows": (".github/*",),
}
SCHEMAS = {  # of check-jsonschema, and which files in .github/ they describe
    "github-workflows": "workflows/*.yml",
    "dependabot": "dependabot.yml",
    "github-issue-forms": "ISSUE_TEMPLATE/[!c]*.yml",
    "github-issue-config": "ISSUE_TEMPLATE/config.yml",
}


@dataclass(frozen=True)
class Result:
    """How a check went; findings: what it says, "" where nothing is wrong; unchanged: known from before."""

    name: str
    findings: str
    seconds: float
    unchanged: bool = False


def command(*line: str | Path) -> Callable[[], str]:
    """A check that is a program: what it prints when it ends with anything but 0."""

    def check() -> str:
        done = subprocess.run(
            [str(word) for word in line], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return (done.stdout.strip() or f"ended with {done.returncode}") if done.returncode else ""

    return check


def templates() -> dict[str, tuple[Any, Any]]:
    """Each template by its path: the document with its short forms written out, and its lines by path."""
    found = {}
    for path in sorted((ROOT / "templates").glob("*.yaml")):
        name = path.relative_to(ROOT).as_posix()
        try:
            found[name] = read(path.read_text(encoding="utf-8"))
        except TemplateError as error:
            raise UserError(f"{name}: {error}") from error
    return found


def checkov() -> str:
    """checkov's failed checks, and the templates that it cannot read, which it skips silently."""
    line = [str(LINTERS / "checkov"), "--directory", "templates", "--framework", "cloudformation"]
    line += ["--quiet", "--skip-download", "--output", "json"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    if done.returncode not in {0, 1}:
        raise UserError(f"checkov broke off:\n{done.stderr.strip()}")
    report = json.loads(done.stdout)
    failed = report["results"]["failed_checks"]
    lines = [
        f"templates{c['file_path']}:{c['file_line_range'][0]} {c['resource']}: {c['check_id']} {c['check_name']}"
        for c in failed
    ]
    summary = report["summary"]
    if summary["parsing_errors"] or not summary["passed"]:
        lines.append(
            f"templates/: checkov could not read {summary['parsing_errors']} of them "
            f"and passed {summary['passed']} checks"
        )
    return "\n".join(lines)


def guard() -> str:
    """CloudFormation Guard, which reads JSON: the templates with their short forms written out."""
    documents = {name: document for name, (document, _) in templates().items()}
    return through_linters("guard", {"rules": RULES.read_text(encoding="utf-8"), "templates": documents})


def lacks_guard() -> bool:
    """Whether .venv-lint holds no CloudFormation Guard, for want of a wheel for this Python and machine."""
    return not any((LINTERS.parent / "lib").glob("python*/site-packages/cfn_guard_rs"))


def parliament() -> str:
    """parliament over every policy but trust policies, which it does not know; each finding with its place."""
    documents = {}
    for name, (document, lines) in templates().items():
        for policy in policies(document):
            if policy.path[-1] != "AssumeRolePolicyDocument":
                line = lines[("Resources", policy.resource)]
                documents[f"{name}:{line} {policy.name}"] = policy.document
    return through_linters("parliament", documents)


def through_linters(name: str, data: object) -> str:
    """What scripts/kit/lint/linters.py, run by the linters' own Python, says of the data."""
    line = [str(LINTERS / "python"), str(ROOT / "scripts" / "kit" / "lint" / "linters.py"), name]
    done = subprocess.run(line, input=json.dumps(data), cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{name} broke off:\n{done.stderr.strip()}")
    return str(done.stdout.strip())


def notebooks() -> str:
    """Notebooks are kept without outputs: a rendered copy is in docs/generated/."""
    wrong = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            if cell.get("outputs") or cell.get("execution_count"):
                wrong.append(f"{path.relative_to(ROOT)}: cell {number} holds outputs: clear them")
    return "\n".join(wrong)


def phrases() -> str:
    """The phrases of scripts/kit/lint/english.py, with what to write instead."""
    return "\n".join(str(finding) for finding in english.check(ROOT))


def characters() -> str:
    """Patterns and methods that take digits and letters beyond ASCII."""
    return "\n".join(ascii.check(ROOT))


def lengths() -> str:
    """Modules and templates that are too long to be read in one go."""
    return "\n".join(sizes.check(ROOT))


def workflows() -> str:
    """What GitHub reads, against the schemas that check-jsonschema ships; a schema without a file is a finding too."""
    found = []
    for schema, names in SCHEMAS.items():
        paths = sorted((ROOT / ".github").glob(names))
        checked = command(LINTERS / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *paths)
        found.append(checked() if paths else f".github/{names}: no such file")
    return "\n".join(filter(None, found))


CHECKS: dict[str, Callable[[], str]] = {  # the slowest first
    "checkov": checkov,
    "mypy": command(OWN / "mypy"),
    "cfn-lint": command(OWN / "cfn-lint"),
    "parliament": parliament,
    "guard": guard,
    "yamllint": command(OWN / "yamllint", "--strict", "."),
    "ruff": command(OWN / "ruff", "check", "."),
    "format": command(OWN / "ruff", "format", "--check", "."),
    "notebooks": notebooks,
    "zizmor": command(LINTERS / "zizmor", "--offline", "--no-progress", "--quiet", ".github"),
    "workflows": workflows,
    "english": phrases,
    "sizes": lengths,
    "ascii": characters,
}


def timed(name: str, memory: Memory, again: bool = False) -> Result:
    """Carry a check out, unless nothing has changed since it found nothing; again: in any case."""
    start = time.monotonic()
    key = memory.key(READS[name]) if name in READS else ""
    unchanged = bool(key) and not again and memory.knows(name, key)
    findings = "" if unchanged else CHECKS[name]()
    if key and not findings and not unchanged and memory.key(READS[name]) == key:  # and nothing changed meanwhile
        memory.learn(name, key)
    return Result(name, findings, time.monotonic() - start, unchanged)


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.lint", __doc__)
    parser.add_argument(
        "--only", action="append", choices=list(CHECKS), metavar="CHECK", help="one of: " + ", ".join(CHECKS)
    )
    parser.add_argument("--again", action="store_true", help="also carry out the checks of which nothing has changed")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON on stdout")
    args = parser.parse_args(argv)
    if not LINTERS.is_dir():
        raise UsageError("the linters are not installed: run `make lint`, which installs them into .venv-lint")
    chosen = args.only or list(CHECKS)
    if "guard" in chosen and lacks_guard():
        chosen.remove("guard")
        say("  guard       left out: cfn-guard-rs has no wheel for this Python and machine. Python 3.11 on Linux has")
    memory = Memory(ROOT, REMEMBERED, (OWN.parent, LINTERS.parent), Path.home())
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, os.cpu_count() or 1)) as pool:
        results = []
        for result in pool.map(lambda name: timed(name, memory, args.again), chosen):
            results.append(result)
            verdict = paint("FAILED", "31") if result.findings else paint("ok", "32")
            took = "unchanged" if result.unchanged else f"{result.seconds:.1f} s"
            say(f"  {result.name:<11} {verdict} ({took})")
            if result.findings and not args.json:
                print(result.findings, flush=True)
    if args.json:
        print(json.dumps({result.name: result.findings.splitlines() for result in results}, indent=2))
    return 1 if any(result.findings for result in results) else 0


if __name__ == "__main__":
    raise SystemExit(run(main))
