"""Every lock file installs from wheels on every machine that the README names: nothing has to be compiled."""

from __future__ import annotations

import json
import re

import pytest

from scripts.kit.lint import wheels
from scripts.kit.lint.wheels import MACHINES, PYTHONS, WHEELS, Machine, Pin
from tests.support import ROOT

LOCKS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "requirements").glob("*.txt")}
FILES: dict[str, dict[str, str]] = json.loads((ROOT / WHEELS).read_text(encoding="utf-8"))
PURE_SOURCES = {"yattag"}  # published as a source alone, in Python alone: no compiler is needed
MUSL = {  # where wheels are missing: `make rehearse`, `make lint` and the rest of develop.mk are not supported there
    "dev": {"playwright", "scikit-learn", "xgboost-cpu"},
    "sam": {"watchdog"},
    "lint": {"cfn-guard-rs"},
    "notebooks": {"matplotlib", "scikit-learn", "xgboost-cpu"},
}


def missing(lock: str, machine: str) -> set[str]:
    """What has no wheel on the machine with one Python or another, apart from sources that need no compiler."""
    found = (wheels.without_wheel(LOCKS[lock], FILES, MACHINES[machine], python) for python in PYTHONS)
    return set().union(*found) - PURE_SOURCES


@pytest.mark.parametrize("machine", [name for name in MACHINES if not name.startswith("musl")])
@pytest.mark.parametrize("lock", sorted(LOCKS.keys() - {"sam"}))  # `make clients` alone takes it, on Linux with glibc
def test_every_package_has_a_wheel(lock: str, machine: str) -> None:
    assert missing(lock, machine) == set()


@pytest.mark.parametrize("lock", sorted(LOCKS))
def test_on_musl_the_product_has_wheels_and_the_rest_lacks_what_the_table_says(lock: str) -> None:
    assert missing(lock, "musl x86_64") | missing(lock, "musl arm64") == MUSL.get(lock, set())
    assert {"runtime", "uv"} <= LOCKS.keys() - MUSL.keys()


def test_the_list_of_files_covers_exactly_what_the_locks_pin_with_their_hashes() -> None:
    pinned = {pin.key: pin.hashes for lock in LOCKS.values() for pin in wheels.pins(lock)}
    assert FILES.keys() == pinned.keys(), "make lock writes both"
    wrong = {file for key, files in FILES.items() for file, value in files.items() if value not in pinned[key]}
    assert wrong == set()
    sources = {key.split("==")[0] for key, files in FILES.items() if any(not file.endswith(".whl") for file in files)}
    assert sources == PURE_SOURCES


def test_every_file_is_of_the_package_and_version_that_it_stands_for() -> None:
    for key, files in FILES.items():
        name, version = key.split("==")
        for file in files:
            assert re.sub("[-_.]+", "-", file.lower()).startswith(re.sub("[-_.]+", "-", f"{name}-{version}")), file


@pytest.mark.parametrize("lock", sorted(LOCKS))
def test_every_pin_of_a_lock_is_read(lock: str) -> None:
    assert len(list(wheels.pins(LOCKS[lock]))) == len(re.findall("^[a-z0-9]", LOCKS[lock], re.MULTILINE)) > 0


def test_macos_gets_the_xgboost_that_has_wheels_there_and_linux_the_one_without_cuda() -> None:
    def names(machine: Machine, python: str) -> set[str]:
        pinned = [pin for lock in ("dev", "notebooks") for pin in wheels.pins(LOCKS[lock])]
        return {pin.name for pin in pinned if pin.is_for(machine, python) and re.search("xgboost|nvidia", pin.name)}

    for name, machine in MACHINES.items():
        for python in PYTHONS:
            assert names(machine, python) == ({"xgboost"} if "macOS" in name else {"xgboost-cpu"})


def test_the_readme_says_of_each_machine_what_the_locks_say() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("### Where it runs")[1].split("It implements")[0]
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE))
    machines = {
        "Linux x86_64": "Linux x86_64, Python 3.12 to 3.14; Windows with WSL 2",
        "Linux arm64": "Linux arm64",
        "macOS 13 arm64": "macOS 13 or newer, arm64",
        "macOS 13 x86_64": "macOS 13 or newer, x86_64",
        "musl x86_64": "Linux with musl (Alpine), x86_64 and arm64",
        "musl arm64": "Linux with musl (Alpine), x86_64 and arm64",
    }
    for machine, row in machines.items():
        product, rehearsal = rows[row].split(" | ")
        assert (product == "resolved") == (missing("runtime", machine) | missing("uv", machine) == set()), machine
        lacking = missing("dev", machine) | missing("notebooks", machine)
        assert rehearsal.startswith("resolved") == (lacking == set()), machine
        assert ("libomp" in rehearsal) == ("macOS" in machine)
    assert list(rows.values()).count("supported | supported") == 1, "only what the tests run on"


def test_guard_is_pinned_exactly_where_the_readme_says() -> None:
    [guard] = [pin for pin in wheels.pins(LOCKS["lint"]) if pin.name == "cfn-guard-rs"]
    for name, machine in MACHINES.items():
        newest = "3.12" if "macOS" in name else "3.13"
        for python in PYTHONS:
            assert guard.is_for(machine, python) == (python < newest), (name, python)


# -- how it decides --------------------------------------------------------------------------------

LINUX, MAC = MACHINES["Linux x86_64"], MACHINES["macOS 13 x86_64"]


@pytest.mark.parametrize(
    ("file", "machine", "python", "fits"),
    [
        ("a-1-py3-none-any.whl", LINUX, "3.14.0", True),
        ("a-1-cp311-abi3-manylinux_2_28_x86_64.whl", LINUX, "3.14.0", True),
        ("a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", LINUX, "3.12.0", True),
        ("a-1-cp312-cp312-manylinux_2_17_x86_64.whl", LINUX, "3.11.0", False),
        ("a-1-cp311-cp311-manylinux_2_34_x86_64.whl", LINUX, "3.11.0", False),
        ("a-1-cp311-cp311-manylinux_2_17_aarch64.whl", LINUX, "3.11.0", False),
        ("a-1-cp311-cp311-musllinux_1_2_x86_64.whl", LINUX, "3.11.0", False),
        ("a-1-cp311-cp311-musllinux_1_2_x86_64.whl", MACHINES["musl x86_64"], "3.11.0", True),
        ("a-1-cp311-cp311-macosx_10_9_universal2.whl", MAC, "3.11.0", True),
        ("a-1-cp311-cp311-macosx_11_0_arm64.whl", MAC, "3.11.0", False),
        ("a-1-cp311-cp311-macosx_14_0_x86_64.whl", MAC, "3.11.0", False),
        ("a-1.tar.gz", LINUX, "3.11.0", False),
    ],
)
def test_a_wheel_fits_by_its_tags(file: str, machine: Machine, python: str, fits: bool) -> None:
    assert wheels.best({file: "hash"}, machine, python) == (file if fits else "")


def test_the_most_specific_wheel_is_taken() -> None:
    files = {"a-1-py3-none-any.whl": "1", "a-1-cp311-cp311-manylinux_2_17_x86_64.whl": "2", "a-1.tar.gz": "3"}
    assert wheels.best(files, LINUX, "3.11.0") == "a-1-cp311-cp311-manylinux_2_17_x86_64.whl"
    assert wheels.needed(files).keys() == files.keys() - {"a-1.tar.gz"}
    assert wheels.needed({"a-1.tar.gz": "3"}) == {"a-1.tar.gz": "3"}


def test_a_marker_decides_where_a_pin_counts() -> None:
    pin = Pin("a", "1", "python_full_version < '3.12' and sys_platform == 'darwin'", frozenset())
    assert pin.is_for(MAC, "3.11.9")
    assert not pin.is_for(MAC, "3.12.0")
    assert not pin.is_for(LINUX, "3.11.9")


def test_a_wheel_with_another_hash_than_the_lock_is_none() -> None:
    right, other = "a" * 64, "b" * 64
    lock = f"a==1 \\\n    --hash=sha256:{right}\n"
    wheel = "a-1-py3-none-any.whl"
    assert wheels.without_wheel(lock, {"a==1": {wheel: right}}, LINUX, "3.11.0") == set()
    assert wheels.without_wheel(lock, {"a==1": {wheel: other}}, LINUX, "3.11.0") == {"a"}
    assert wheels.without_wheel(lock, {"a==2": {wheel: right}}, LINUX, "3.11.0") == {"a"}


def test_the_files_of_a_package_are_read_from_a_pylock() -> None:
    package = {
        "wheels": [{"url": "https://host.example/x/a-1-py3-none-any.whl", "hashes": {"sha256": "1"}}],
        "sdist": {"url": "https://host.example/y/a-1.tar.gz", "hashes": {"sha256": "2"}},
    }
    assert wheels.files_of(package) == {"a-1-py3-none-any.whl": "1", "a-1.tar.gz": "2"}
