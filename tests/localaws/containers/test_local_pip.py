"""pip in a build of a rehearsal: what of a command line this machine has."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from localaws.containers.local_pip import asked, installed, link, needed

HERE = installed([sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]])


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--quiet", "pytest", "numpy>=1.2", "Scikit_Learn[tests]"], ["pytest", "numpy", "Scikit_Learn"]),
        (["-r", "FILE"], ["pytest", "xgboost-cpu"]),
        (["--requirement=FILE", "boto3"], ["pytest", "xgboost-cpu", "boto3"]),
        (["./folder", "https://example.com/a.whl"], []),
    ],
)
def test_packages_are_named_on_the_line_and_in_files(arguments: list[str], names: list[str], tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("# tests\npytest  # the runner\nxgboost-cpu==3.*\n--index-url https://example.com\n")
    assert list(asked([argument.replace("FILE", str(file)) for argument in arguments])) == names


def test_a_package_comes_with_what_it_needs_here_and_without_extras() -> None:
    found = needed(["Scikit_Learn", "nowhere"], HERE)
    assert {"scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl"} <= found.keys()
    assert not {"nowhere", "pytest", "pandas"} & found.keys()


def test_a_package_is_linked_with_its_metadata_so_that_pip_finds_it(tmp_path: Path) -> None:
    link(HERE["pytest"], tmp_path)
    link(HERE["pytest"], tmp_path)  # a second command of the same build
    assert installed([str(tmp_path)])["pytest"].version == HERE["pytest"].version
    assert (tmp_path / "_pytest").is_symlink()
