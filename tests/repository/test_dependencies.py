"""pyproject.toml names what is imported, part by part: the product, the rehearsal, and what only developers need."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator

import pytest

from scripts import release
from tests.support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PROJECT["dependency-groups"]
OURS = {"awslang", "localaws", "pipeline", "scripts", "tests", "benchmarks"}
OURS |= {path.stem for path in (ROOT / "seed-code").rglob("*.py")} | {"steps"}
OF_IMAGES = ("seed-code/model-build/steps/", "seed-code/model-build/tests/")  # run with the packages of the images
PACKAGES = {  # by the name that is imported, where that differs
    "axe_playwright_python": "axe-playwright-python",
    "cfnlint": "cfn-lint",
    "dateutil": "python-dateutil",
    "jsonata": "jsonata-python",
    "policy_sentry": "policy-sentry",
    "ruamel": "ruamel.yaml",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
SAME = {"xgboost-cpu": "xgboost"}  # the same module from two packages, by what has a wheel on the machine
FOR_DEVELOPERS = {"policy-sentry", "packaging"}  # make awslang's table of actions and the list of wheels, by commands
PROGRAMS = {"ruff", "mypy", "yamllint", "pytest-xdist"}  # run and not imported


def imported(tree: ast.AST) -> Iterator[str]:
    """The top-level names that a module imports or looks for, but for those that only the type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("find_spec"):
            yield from (str(one.value) for one in node.args if isinstance(one, ast.Constant))
        yield from imported(node)


def packages(names: Iterable[str]) -> set[str]:
    """The packages of others that these files import."""
    texts = ((ROOT / name).read_text(encoding="utf-8") for name in names if name.endswith(".py"))
    found = {name for text in texts for name in imported(ast.parse(text))} - OURS - sys.stdlib_module_names
    return {PACKAGES.get(name, name) for name in found}


def declared(requirements: Iterable[object]) -> set[str]:
    """The names of requirements, without versions and extras."""
    names = {re.split(r"[\[<>=;! ]", one)[0] for one in requirements if isinstance(one, str)}
    return {SAME.get(name, name) for name in names}


def python_files(*folders: str) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*.py")]


PRODUCT = declared(PROJECT["project"]["dependencies"])
REHEARSAL = declared(GROUPS["rehearsal"])


def test_the_product_depends_on_exactly_what_its_modules_import() -> None:
    product = [name for name in release.product(ROOT) if not name.startswith(OF_IMAGES)]
    assert packages(product) - FOR_DEVELOPERS - {"scikit-learn"} == PRODUCT  # start.py looks whether that is there


def test_the_rehearsal_depends_on_exactly_what_it_imports_besides() -> None:
    found = packages(python_files("localaws", "scripts/rehearsal", "benchmarks"))
    assert found - PRODUCT - declared(GROUPS["notebooks"]) - {"nbformat"} == REHEARSAL - declared(GROUPS["notebooks"])
    assert "xgboost" in found & REHEARSAL


def test_what_the_tests_import_is_installed_with_them() -> None:
    dev = declared(GROUPS["dev"])
    found = packages(python_files("tests")) - declared(GROUPS["sdk2"])  # of tests/clients/sdk2.py
    assert found <= dev | REHEARSAL | PRODUCT
    assert {one for one in dev - PROGRAMS if not re.search("stubs|types-", one)} <= found | FOR_DEVELOPERS
    assert {"include-group": "rehearsal"} in GROUPS["dev"]


@pytest.mark.parametrize(
    ("lock", "groups"), [("runtime", ()), ("dev", ("dev", "rehearsal")), ("release", ("release",))]
)
def test_a_lock_file_pins_what_is_declared(lock: str, groups: tuple[str, ...]) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
    wanted = set().union(*(declared(GROUPS[group]) for group in groups)) | (PRODUCT if lock != "release" else set())
    assert {one.lower().replace(".", "-") for one in wanted} <= pinned


def test_the_product_is_rehearsed_with_the_versions_that_it_is_released_with() -> None:
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements" / lock).read_text(encoding="utf-8"), re.MULTILINE))

    assert pins("runtime.txt") <= pins("dev.txt")
    assert not {"moto", "xgboost-cpu", "werkzeug"} & {one.split("==")[0] for one in pins("runtime.txt")}


def test_imports_are_found_wherever_they_stand() -> None:
    text = """
import a.b
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import hidden
def f():
    from c import d
    return find_spec("e")
from . import sibling
"""
    assert set(imported(ast.parse(text))) == {"a", "typing", "c", "e"}
