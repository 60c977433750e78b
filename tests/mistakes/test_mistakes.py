"""Every mistake of the table is found by its check, which says what is wrong and where.

One rehearsal is prepared for all that are made here (in what is set up once); test_mistakes_deployed.py makes the
others (in what the pipeline deploys).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.kit.bundle import pack
from tests.mistakes import ROOT, SET_UP, Mistake, Outdated, document, lint, load
from tests.mistakes.checks import CHECKS, check_mistake, judged
from tests.mistakes.world import World, prepared

MISTAKES = load()
FIRST = next(mistake for mistake in MISTAKES if mistake.file == pack.TEMPLATES[0])
TEMPLATES = [mistake for mistake in MISTAKES if mistake.file.startswith("templates/")]
PLAYED = [mistake for mistake in MISTAKES if mistake.by in CHECKS and mistake.file in SET_UP]
JUDGED = [mistake for mistake in MISTAKES if mistake.by == "judges"]


def by_id(mistake: Mistake) -> str:
    return mistake.id


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with prepared(tmp_path_factory.mktemp("mistakes")) as made:
        yield made


def test_the_table_is_large_and_reaches_every_file_of_the_bundle() -> None:
    assert len(MISTAKES) == 327
    assert len({mistake.id for mistake in MISTAKES}) == len(MISTAKES)
    folders = ("templates", "seed-code", "pipeline")
    files = {path.relative_to(ROOT).as_posix() for folder in folders for path in bundle(folder)}
    assert {mistake.file for mistake in MISTAKES} == files


def bundle(folder: str) -> Iterator[Path]:
    """The files that a mistake can be made in: no text for readers, nothing empty, nothing that iris does not run."""
    kinds = {".yaml", ".yml", ".py", ".json", ".csv", ".toml"}
    empty = {"__init__.py", "clients.py"}  # types alone: nothing of it runs
    elsewhere = {"model-build/steps", "model-build/tests", "model-deploy/examples/sklearn"}  # see tests/model_build
    for path in (ROOT / folder).rglob("*"):
        run = path.parent.relative_to(ROOT).as_posix().removeprefix("seed-code/") not in elsewhere
        if run and path.suffix in kinds and path.name not in {*empty, "penguins.csv"}:
            yield path


def test_every_mistake_says_what_must_be_said() -> None:
    for mistake in MISTAKES:
        assert mistake.says, mistake.id
        assert mistake.by in document.BY, mistake.id


def test_every_mistake_can_still_be_made() -> None:
    """All that cannot are named here; the other tests end at the first."""
    outdated = []
    for mistake in MISTAKES:
        try:
            mistake.text()
        except Outdated as error:
            outdated.append(str(error))
    assert outdated == []


def test_a_mistake_that_can_no_longer_be_made_is_reported() -> None:
    gone = dataclasses.replace(FIRST, find="what was never written")
    with pytest.raises(Outdated, match=f"{gone.id}: {gone.file} holds 'what was never written' 0 times"):
        gone.text()
    twice = dataclasses.replace(FIRST, find="Effect: Allow")
    with pytest.raises(Outdated, match="times instead of once"):
        twice.text()


def test_an_edit_of_whole_lines_keeps_their_indentation() -> None:
    mistake = dataclasses.replace(FIRST, find="A: 1\n  B: 2\n", replace="C: 3\n")
    assert mistake.edit("top:\n    A: 1\n      B: 2\nend\n") == "top:\n    C: 3\nend\n"


def test_the_page_of_mistakes_is_up_to_date() -> None:
    assert document.PLACE.read_text(encoding="utf-8") == document.document(MISTAKES), (
        "run python -m tests.mistakes --write"
    )


@pytest.mark.parametrize("mistake", JUDGED, ids=by_id)
def test_the_judges_find_the_mistake_and_say_where(mistake: Mistake) -> None:
    assert mistake.unsaid(judged(mistake)) == []


@pytest.mark.parametrize("mistake", PLAYED, ids=by_id)
def test_the_rehearsal_finds_the_mistake_and_says_where(world: World, mistake: Mistake) -> None:
    check_mistake(world, mistake)


def test_the_bundle_without_a_mistake_still_passes_after_all_of_them(world: World) -> None:
    same = dataclasses.replace(FIRST, replace=FIRST.find)
    assert CHECKS["pipeline"](world, same) == ""


def test_mistakes_that_cfn_lint_does_not_find_share_a_template_where_they_are_apart() -> None:
    groups = [{mistake.id for mistake in group} for group in lint.grouped(TEMPLATES)]
    assert sorted(id for group in groups for id in group) == sorted(mistake.id for mistake in TEMPLATES)
    assert {mistake.id for mistake in TEMPLATES if mistake.by == "cfn-lint"} <= {
        id for group in groups if len(group) == 1 for id in group
    }
    shared = dataclasses.replace(FIRST, by="pipeline")
    assert lint.grouped([shared, shared]) == [[shared], [shared]]  # the same place


def test_what_cfn_lint_finds_in_a_shared_template_is_found_in_the_mistake_that_causes_it(tmp_path: Path) -> None:
    small = [mistake for mistake in TEMPLATES if mistake.file == "templates/60-ci-roles.yaml"]
    found = next(mistake for mistake in small if mistake.by == "cfn-lint")
    taken = [dataclasses.replace(found, by="pipeline"), next(mistake for mistake in small if mistake.by != "cfn-lint")]
    assert lint.grouped(taken) == [taken]
    assert lint.findings(taken, tmp_path).keys() == {found.id}


def test_cfn_lint_finds_what_the_table_says_and_nothing_else(tmp_path: Path) -> None:
    linted = lint.findings(MISTAKES, tmp_path)
    wanted = {mistake.id for mistake in MISTAKES if mistake.by == "cfn-lint"}
    assert {mistake.id for mistake in TEMPLATES if mistake.id in linted} == wanted
    assert {m.id: m.unsaid(linted[m.id]) for m in MISTAKES if m.id in wanted and m.unsaid(linted[m.id])} == {}
