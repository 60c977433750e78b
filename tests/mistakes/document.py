"""docs/generated/mistakes.md, written from the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.mistakes import ROOT, Mistake

PLACE = ROOT / "docs/generated/mistakes.md"
BY = {
    "cfn-lint": "`make lint`: cfn-lint reads the templates",
    "judges": "`make check`: the judges read the policies (tests/judges)",
    "template-judges": "`make test`: the judges of the templates (tests/judges), which need no rehearsal",
    "image-judges": "`make check`: the judges of the build image and of the registered version (tests/judges)",
    "unit-tests": "`make test`: the unit tests of the pipeline's steps (tests/pipeline)",
    "accounts": "chapter permissions: one of templates 10 to 13, or 20, is deployed into a new account",
    "images": "templates 10 and 11 are deployed into a new account; an image is pushed, and pulled in another Region",
    "project": "chapter project: AWS's launch role creates a project",
    "training": "chapter training: `start.py` trains and registers a version",
    "approval": "chapter model-approval: `approve.py` approves it, and the pipeline starts",
    "stage": "chapter staging: template 40 alone is deployed as the stage role",
    "target": "chapter staging: template 50 alone is deployed into the staging account",
    "pipeline": "chapters project and staging: the pipeline runs until it waits for the approver",
}
HEAD = """\
# Mistakes that are caught

{total} small edits to the files of this repository, one at a time: what a person might get wrong, and what finds it.
Each takes the least check that can find it. cfn-lint alone finds {lint} of the {templates} in templates, and says
nothing of the other {others}; the [judges](../developing/judges.md) and the rehearsal find the rest.

The table is `tests/mistakes/*.yaml`; `tests/mistakes/test_mistakes.py`, `tests/mistakes/test_mistakes_deployed.py` and
`tests/mistakes/test_mistakes_judged.py` make every mistake and look for what is said.
`python -m tests.mistakes ID …` makes some of them and shows everything that is said. This page is written by
`python -m tests.mistakes --write`.

| Found by | Mistakes | What that is |
| --- | --- | --- |
"""
TABLE = """
A … stands for what differs from run to run, such as ids and line numbers.

| Id | File | Mistake | Found by | What it says |
| --- | --- | --- | --- | --- |
"""


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{cell(text)}{fence}"


def document(mistakes: Sequence[Mistake]) -> str:
    """The page."""
    counts = Counter(mistake.by for mistake in mistakes)
    templates = sum(mistake.file.startswith("templates/") for mistake in mistakes)
    lint = counts["cfn-lint"]
    head = HEAD.format(total=len(mistakes), lint=lint, templates=templates, others=templates - lint)
    kinds = "".join(f"| {by} | {counts[by]} | {what} |\n" for by, what in BY.items() if counts[by])
    rows = "".join(
        f"| {m.id} | {m.file} | {cell(m.mistake)} | {m.by} | {'<br>'.join(code(text) for text in m.says)} |\n"
        for m in mistakes
    )
    return head + kinds + TABLE + rows


def write(mistakes: Sequence[Mistake]) -> None:
    PLACE.write_text(document(mistakes), encoding="utf-8")
