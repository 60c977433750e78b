"""The tests themselves: each one can fail, none leans on another's file, and a module's tests are found by its name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

TESTS = ROOT / "tests"
FILES = sorted(path.relative_to(ROOT).as_posix() for path in TESTS.rglob("*.py"))
TEST_FILES = [path for path in FILES if Path(path).name.startswith("test_")]

# Where the modules are that a folder of tests is about. Tests of commands are beside those of the library.
SUBJECTS = {
    "awslang": ("awslang",),
    "localaws": ("localaws",),
    "kit": ("scripts/kit", "scripts"),
    "rehearsal": ("scripts/rehearsal", "scripts"),
    "benchmarks": ("benchmarks",),
    "support": ("tests/support",),
}
# Test files that are about more than one module: the name says what they play.
STORIES = {
    "kit/test_any_folder.py",
    "kit/doctor/test_cures.py",
    "kit/test_bad_input.py",
    "kit/test_many_accounts.py",
    "kit/test_profile.py",
    "localaws/test_defaults.py",
    "kit/test_self_managed.py",
    "localaws/services/sagemaker/test_deployment_rollback.py",
    "localaws/services/test_strict.py",
    "localaws/services/test_strict_requests.py",
    "localaws/test_outside.py",
    "localaws/test_xgboost_container.py",
    "localaws/test_xgboost_training.py",
    "rehearsal/test_approvals.py",
    "rehearsal/test_batch.py",
    "rehearsal/test_bring_your_own_model.py",
    "rehearsal/test_every_setting.py",
    "rehearsal/test_monitors.py",
    "rehearsal/test_other_settings.py",
    "rehearsal/test_regions.py",
}


Rule = Callable[[ast.Module], list[str]]


def broken_in(paths: list[str], rule: Rule) -> dict[str, list[str]]:
    """What breaks a rule, by file."""
    found = {path: rule(ast.parse((ROOT / path).read_text(encoding="utf-8"))) for path in paths}
    return {path: lines for path, lines in found.items() if lines}


# -- the rules ---------------------------------------------------------------------------------


def unable_to_fail(tree: ast.Module) -> list[str]:
    """The test functions that hold no assert, no pytest.raises or pytest.warns, and call no check_ or assert."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return [function.name for function in functions if not any(map(asserts, ast.walk(function)))]


def asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, ast.Constant)
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    return name in ("pytest.raises", "pytest.warns") or name.split(".")[-1].startswith(("check_", "assert"))


def floors(tree: ast.Module) -> list[str]:
    """Assertions that a length is at least some number: they still pass when most of what is counted is lost."""
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(op, (ast.Gt, ast.GtE)) for op in node.ops)
        and ast.unparse(node.left).startswith(("len(", "sum("))
        and any(isinstance(of, ast.Constant) and isinstance(of.value, int) and of.value > 2 for of in node.comparators)
    ]


def imported_test_files(tree: ast.Module) -> list[str]:
    """Names of test files that a module imports, at its head or inside a function."""
    return [name for name in imported(tree) if any(part.startswith("test_") for part in name.split("."))]


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            modules = f"{node.module}."
            yield from (f"{modules}{alias.name}" for alias in node.names if modules.startswith("tests."))


def has_subject(path: str) -> bool:
    """Whether a test file (kit/test_publish.py) is named after a module, a package or a command that exists.

    test_publish_faults.py has the subject publish: what follows the name says which side of it is tested.
    """
    folder, *between, name = path.split("/")
    if folder not in SUBJECTS or path in STORIES:
        return True
    words = name.removeprefix("test_").removesuffix(".py").split("_")
    names = {"_".join(words[:count]) for count in range(1, len(words) + 1)}
    for subject in SUBJECTS[folder]:
        place = ROOT.joinpath(subject, *between)
        found = {path.stem for path in place.glob("*.py")} | {path.parent.name for path in place.glob("*/__init__.py")}
        if folder == "kit":  # its tests are in few folders: the modules of the kit have names of their own
            found = {name for path in (ROOT / subject).rglob("*.py") for name in (path.stem, path.parent.name)}
        if names & found:
            return True
    return False


# -- the rules hold ----------------------------------------------------------------------------


def test_every_test_asserts_something() -> None:
    assert broken_in(TEST_FILES, unable_to_fail) == {}


def test_what_is_counted_is_counted_exactly() -> None:
    assert broken_in(TEST_FILES, floors) == {}


def test_no_file_imports_a_test_file() -> None:
    assert broken_in(FILES, imported_test_files) == {}


def test_test_files_are_named_after_what_they_test() -> None:
    names = [Path(path).relative_to("tests").as_posix() for path in TEST_FILES]
    assert [name for name in names if not has_subject(name)] == []
    assert [name for name in sorted(STORIES) if name not in names] == []


def test_every_folder_of_tests_is_a_package() -> None:
    """Two test files may have the same name only where their folders are packages."""
    folders = {(ROOT / path).parent for path in TEST_FILES}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


# -- and notice what breaks them ---------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "publish()",
        "assert True",
        "assert 'a reason'",
        "with raises(ValueError): publish()",
        "for path in paths: print(path)",
    ],
)
def test_a_test_that_cannot_fail_is_found(body: str) -> None:
    assert unable_to_fail(ast.parse(f"def test_publish():\n    {body}")) == ["test_publish"]


@pytest.mark.parametrize(
    "body",
    ["assert publish()", "with pytest.raises(ValueError): publish()", "check_refused(publish)", "world.check_all()"],
)
def test_a_test_that_can_fail_is_not_reported(body: str) -> None:
    assert unable_to_fail(ast.parse(f"def test_publish():\n    {body}")) == []


@pytest.mark.parametrize(
    ("assertion", "found"),
    [
        ("len(CHECKS) >= 40", True),
        ("len(steps) > 10", True),
        ("sum(map(len, pages)) >= 41", True),
        ("len(CHECKS) == 139", False),
        ("len(name) <= 32", False),
        ("len(found) >= 1", False),
    ],
)
def test_a_floor_is_found(assertion: str, found: bool) -> None:
    assert floors(ast.parse(f"assert {assertion}")) == ([assertion] if found else [])


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("from tests.kit.test_publish import Publisher", ["tests.kit.test_publish.Publisher"]),
        ("from tests.kit import test_publish", ["tests.kit.test_publish"]),
        ("import tests.kit.test_publish as publishing", ["tests.kit.test_publish"]),
        ("def test_it():\n    from tests.kit.test_publish import Publisher", ["tests.kit.test_publish.Publisher"]),
        ("from tests.support.publisher import Publisher", []),
        ("from unittest.mock import test_it", []),
    ],
)
def test_an_import_of_a_test_file_is_found(statement: str, found: list[str]) -> None:
    assert imported_test_files(ast.parse(statement)) == found


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("localaws/services/sagemaker/test_endpoints.py", True),
        ("localaws/services/sagemaker/test_sagemaker_endpoints.py", False),
        ("localaws/services/test_endpoints.py", False),
        ("awslang/template/test_rules.py", True),
        ("awslang/template/test_cfn_rules.py", False),
        ("kit/test_publish_faults.py", True),
        ("kit/test_publishing_of_old.py", True),
        ("kit/test_never_written.py", False),
        ("repository/test_anything.py", True),
    ],
)
def test_a_name_without_a_module_is_found(path: str, found: bool) -> None:
    assert has_subject(path) == found
