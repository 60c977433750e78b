"""The list of phrases bites in prose, templates and Python, and leaves quotes of AWS's words alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.kit.lint.english import PHRASES, Phrase, check, findings
from tests.support import ROOT

# for each pattern of the list, in its order: a line that it finds
EXAMPLES = [
    "3 changed, 1 as they were",  # english: quoted
    "1 account(s)",  # english: quoted
    "Whoever approves",  # english: quoted
    "somebody approves",  # english: quoted
    "nobody approves",  # english: quoted
    "told = summary()",  # english: quoted
    "what mends it",  # english: quoted
    "a spoilt template",  # english: quoted
    "to examine it",  # english: quoted
    "how it comes that it failed",  # english: quoted
    "the folder where one is",  # english: quoted
    "read in whole",  # english: quoted
    "it has not got the right",  # english: quoted
    "which is no more",  # english: quoted
    "lets it through",  # english: quoted
    "the rehearsal does not play it",  # english: quoted
    "the service is not played",  # english: quoted
    "these credentials are of account X",  # english: quoted
    "a script of one's own",  # english: quoted
    "$83.95 instead of $0.00",  # english: quoted
    "made anew",  # english: quoted
    "the values at hand",  # english: quoted
    "what is by hand",  # english: quoted
    "the reason stands in a table",  # english: quoted
    "its bucket lies in another Region",  # english: quoted
    "when that is put right",  # english: quoted
    "it goes on from here",  # english: quoted
    "the one who asks",  # english: quoted
]
MORE = [  # further forms of the same phrases
    "whoever, Somebody, Nobody",  # english: quoted
    "it mended, mends, mending; mend_it",  # english: quoted
    "spoils, spoil_it; an examination, examined",  # english: quoted
    "read no more.",  # english: quoted
    "let it in; lets in; let him through",  # english: quoted
    "they do not play; nobody plays; NotPlayed",  # english: quoted
    "they are played",  # english: quoted
    "one's own; anew; are by hand",  # english: quoted
    "it Stands at the door; they stand there",  # english: quoted
    "Lies beneath; lie beside",  # english: quoted
    "puts right, putting right; goes on from there",  # english: quoted
]


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.pattern)
def test_each_phrase_is_found_and_comes_with_what_to_write(phrase: Phrase) -> None:
    example = EXAMPLES[PHRASES.index(phrase)]
    found = findings("README.md", f"fine\n{example}\n")
    assert [(one.line, one.instead) for one in found if one.instead == phrase.instead] == [(2, phrase.instead)]


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.pattern)
def test_what_a_phrase_matches_holds_one_of_its_words(phrase: Phrase) -> None:
    matched = [line for line in (*EXAMPLES, *MORE) if re.search(phrase.pattern, line)]
    assert matched
    assert [line for line in matched if not any(word in line for word in phrase.words)] == []


def test_every_example_is_of_one_phrase() -> None:
    assert len(EXAMPLES) == len(PHRASES)


@pytest.mark.parametrize("name", ["a.md", "a.yaml", "a.jinja"])
def test_a_line_that_quotes_aws_is_left_alone_and_no_other(name: str) -> None:
    text = "AWS says: somebody <!-- english: quoted -->\nsomebody\n"  # english: quoted
    assert [one.line for one in findings(name, text)] == [2]


def test_of_python_names_comments_and_strings_are_read() -> None:
    text = 'told = 1  # somebody\nx = f"{told} as they were"\ny = """\nspoilt\n"""\n'  # english: quoted
    found = [(one.line, one.phrase) for one in findings("a.py", text)]
    assert {line for line, _ in found} == {1, 2, 4}
    assert {phrase for _, phrase in found} == {"told", "somebody", "as they were", "spoilt"}  # english: quoted


def test_words_that_only_contain_a_phrase_are_not_found() -> None:
    assert findings("a.md", "A tolder recommendation, unexamined; amended handles.\n") == []


def test_files_that_git_ignores_or_that_hold_no_prose_are_not_read(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("build/\n")
    for name in ("build/a.md", "docs/a.md", "a.png", "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("somebody\n")  # english: quoted
    assert [str(one) for one in check(tmp_path)] == [
        "docs/a.md:1: 'somebody': write the role, the caller, another team, a person who …"  # english: quoted
    ]


def test_the_module_ends_with_1_where_it_finds_something(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    line = [sys.executable, "-m", "scripts.kit.lint.english"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    (tmp_path / "a.md").write_text("fine\n")
    assert subprocess.run(line, cwd=tmp_path, env=environment).returncode == 0
    (tmp_path / "a.md").write_text("somebody\n")  # english: quoted
    assert subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True).returncode == 1
