"""What cfn-lint, as `make lint` calls it, says of mistaken templates.

It takes half a second for a template. A mistake that it is expected to find has a template of its own; those that it
is expected not to find share one wherever they are at different places of a file. Where it finds something in a
shared one, each of its mistakes is looked at alone. What this can miss is a finding about one mistake that another
mistake of the same template hides without being found itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.mistakes import ROOT, Mistake, edited

CONFIG = ROOT / ".cfnlintrc.yaml"
FINDINGS = {2, 4, 6, 8, 10, 12, 14}  # cfn-lint's exit codes: the sum of errors, warnings, informational findings


def findings(mistakes: Iterable[Mistake], folder: Path) -> dict[str, str]:
    """What cfn-lint says of each mistake, one line for each finding; nothing where it finds nothing."""
    groups = grouped(mistake for mistake in mistakes if mistake.file.startswith("templates/"))
    found = run(groups, folder)
    alone = [[mistake] for group in groups if len(group) > 1 and found.pop(group[0].id, "") for mistake in group]
    return found | (run(alone, folder / "alone") if alone else {})


def grouped(mistakes: Iterable[Mistake]) -> list[list[Mistake]]:
    """The mistakes that share a template."""
    groups: list[list[Mistake]] = []
    for mistake in mistakes:
        if group := next((group for group in groups if fits(mistake, group)), None):
            group.append(mistake)
        else:
            groups.append([mistake])
    return groups


def fits(mistake: Mistake, group: Sequence[Mistake]) -> bool:
    """Whether cfn-lint finds neither the mistake nor those of the group, and they are at places that do not touch."""
    if any(other.by == "cfn-lint" or other.file != mistake.file for other in (mistake, *group)):
        return False
    start, end = mistake.place(mistake.original).span()
    places = [other.place(other.original).span() for other in group]
    return all(end < other_start or other_end < start for other_start, other_end in places)


def run(groups: Sequence[Sequence[Mistake]], folder: Path) -> dict[str, str]:
    """What cfn-lint says of each group's template, by the id of its first mistake; all are checked in one run."""
    folder.mkdir(parents=True, exist_ok=True)
    config = CONFIG.read_text(encoding="utf-8").replace("templates/*.yaml", "'*.yaml'")  # as the repository's own
    (folder / CONFIG.name).write_text(config, encoding="utf-8")
    files = {group[0].id: group[0].file for group in groups}
    for group in groups:
        (folder / f"{group[0].id}.yaml").write_text(edited(group, group[0].original), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--format", "json"]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode and done.returncode not in FINDINGS:
        raise RuntimeError(f"cfn-lint ended with {done.returncode}")
    found: dict[str, list[str]] = {}
    for finding in json.loads(done.stdout):
        id = Path(finding["Filename"]).stem
        line = finding["Location"]["Start"]["LineNumber"]
        place = ".".join(str(part) for part in finding["Location"]["Path"] or [])
        found.setdefault(id, []).append(f"{files[id]}:{line} {place}: {finding['Rule']['Id']} {finding['Message']}")
    return {id: "\n".join(lines) for id, lines in found.items()}
