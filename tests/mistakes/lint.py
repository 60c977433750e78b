"""What cfn-lint, as `make lint` calls it, says of mistaken templates."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.mistakes import ROOT, Mistake

CONFIG = ROOT / ".cfnlintrc.yaml"
FINDINGS = {2, 4, 6, 8, 10, 12, 14}  # cfn-lint's exit codes: the sum of errors, warnings, informational findings


def start(mistakes: Iterable[Mistake], folder: Path) -> subprocess.Popen[str]:
    """Check every mistaken template in one run; templates are read as the repository's own."""
    folder.mkdir(parents=True, exist_ok=True)
    config = CONFIG.read_text(encoding="utf-8").replace("templates/*.yaml", "'*.yaml'")
    (folder / CONFIG.name).write_text(config, encoding="utf-8")
    for mistake in mistakes:
        if mistake.file.startswith("templates/"):
            (folder / f"{mistake.id}.yaml").write_text(mistake.text(), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--format", "json"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)


def findings(run: subprocess.Popen[str], mistakes: Iterable[Mistake]) -> dict[str, str]:
    """What cfn-lint says of each mistake, one line for each finding; nothing where it finds nothing."""
    output, _ = run.communicate()
    if run.returncode and run.returncode not in FINDINGS:
        raise RuntimeError(f"cfn-lint ended with {run.returncode}")
    files = {mistake.id: mistake.file for mistake in mistakes}
    found: dict[str, list[str]] = {}
    for finding in json.loads(output):
        id = Path(finding["Filename"]).stem
        line = finding["Location"]["Start"]["LineNumber"]
        place = ".".join(str(part) for part in finding["Location"]["Path"] or [])
        found.setdefault(id, []).append(f"{files[id]}:{line} {place}: {finding['Rule']['Id']} {finding['Message']}")
    return {id: "\n".join(lines) for id, lines in found.items()}
