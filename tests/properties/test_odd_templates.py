"""Each odd template ends alone: taken or refused in words, by a process of its own with little memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from awslang.errors import NotSupported
from awslang.template.graph import circle
from awslang.template.patterns import fits, is_simple
from tests.properties.odd_templates import ODD
from tests.support import ROOT

SECONDS = 10  # of the processor; each takes one, most of it to load
MEMORY = 2 << 30  # bytes of address space, most of it for what is loaded


def limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    if sys.platform == "linux":  # others do not hold to it
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


@pytest.mark.parametrize("name", ODD)
def test_an_odd_template_ends(name: str, tmp_path: Path) -> None:
    file = tmp_path / "odd"
    file.write_text(ODD[name]())
    code = "import sys; from pathlib import Path; from tests.properties.templates import check_template as check\n"
    code += "check(Path(sys.argv[1]).read_bytes(), Path())"
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # each thread takes address space
        capture_output=True,
        text=True,
        preexec_fn=limit,  # no thread is started before
        timeout=SECONDS * 20,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_a_rehearsal_of_an_odd_template_ends(name: str, tmp_path: Path) -> None:
    file = tmp_path / "odd"
    file.write_text(ODD[name]())
    line = ["--template", str(file), "--trust", "--folder", str(tmp_path / "rehearsal"), "--patience", "20"]
    done = subprocess.run(
        [sys.executable, "-m", "scripts.rehearse", *line],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=limit,  # no thread is started before
        timeout=SECONDS * 20,
    )
    assert done.returncode in (0, 1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_a_pattern_that_takes_too_long_is_refused_in_words() -> None:
    with pytest.raises(NotSupported, match="an AllowedPattern that takes more than 1 s to match a value"):
        fits("(a|aa)+$", "a" * 60 + "?")


@pytest.mark.parametrize(
    ("pattern", "value", "fitting"),
    [
        ("[a-z]+", "abc", True),
        ("[a-z]+", "ab1", False),
        (r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}", "iris-multi-01", True),
        (r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}", "iris-", False),
        (r"(\d{12}(,\d{12})*)?", "111111111111,222222222222", True),
        (r"(\d{12}(,\d{12})*)?", "٣" * 12, False),
        (r"[*+{)|?]+", "*+", True),
        (r"\)*", "))", True),
        (r"(a|b)(a|b)", "ab", True),
    ],
)
def test_patterns_fit_as_before(pattern: str, value: str, fitting: bool) -> None:
    assert fits(pattern, value) is fitting


@pytest.mark.parametrize(
    ("pattern", "simple"),
    [
        ("[a-z]+", True),
        ("[*+]{3}", True),
        (r"\)*\(", True),
        ("a*a*", True),
        ("a*a*a*a*a*", False),
        ("(a|a)*b", False),
        ("(a+)+", False),
        ("(ab?){3}", False),
        ("(a|a)" * 40, False),
        ("a?" * 40, False),
        (".{0,4000}.{0,4000}.{0,4000}.{0,4000}", False),
        ("a" * 2000, False),
    ],
)
def test_a_pattern_with_many_ways_to_fit_is_known(pattern: str, simple: bool) -> None:
    assert is_simple(pattern, 40) is simple


def test_the_resources_of_circles_are_named_and_no_others() -> None:
    needs = {
        "waits": {"a"}, "a": {"b"}, "b": {"a", "between"}, "between": {"c"}, "c": {"d"}, "d": {"c"}, "self": {"self"},
        "free": {"gone"},
    }  # fmt: skip
    assert circle(needs) == ["a", "b", "c", "d", "self"]
