"""Which wheel of each pinned package fits which machine: requirements/wheels.json, which `make lock` writes.

    python -m scripts.kit.lint.wheels

A lock file names hashes alone. This list names, for each pin, the wheels that the supported machines take, with the
hashes that the lock file has for them. So a test can prove without a network that no machine has to compile anything.
Where a package has no wheel at all, the list names its source.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

WHEELS = "requirements/wheels.json"
PYTHONS = ("3.11.0", "3.11.9", "3.12.0", "3.13.0", "3.14.0")
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; (.+))? \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


@dataclass(frozen=True)
class Machine:
    """A kind of machine: what markers ask for, and the platforms of the wheels that it takes."""

    sys_platform: str
    machine: str
    platforms: tuple[str, ...]

    def markers(self, python: str) -> dict[str, str]:
        """The variables of markers (Python Packaging User Guide, "Dependency specifiers")."""
        return {
            "implementation_name": "cpython",
            "implementation_version": python,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": {"linux": "Linux", "darwin": "Darwin"}[self.sys_platform],
            "python_full_version": python,
            "python_version": python.rpartition(".")[0],
            "sys_platform": self.sys_platform,
        }

    @cache  # noqa: B019  # of a frozen value, of which there are six
    def tags(self, python: str) -> dict[Tag, int]:
        """The tags of the wheels that it takes, with their place: the best has the lowest."""
        major, minor, _ = map(int, python.split("."))
        interpreter = f"cp{major}{minor}"
        own = cpython_tags((major, minor), [interpreter], self.platforms)
        every = [*own, *compatible_tags((major, minor), interpreter, self.platforms)]
        return {tag: place for place, tag in enumerate(every)}


def glibc(machine: str) -> tuple[str, ...]:
    """glibc 2.28 and newer: Debian 10, Ubuntu 20.04, Amazon Linux 2023, RHEL 8, and these in WSL (PEP 600)."""
    oldest, former = (5, ("2014", "2010", "1")) if machine == "x86_64" else (17, ("2014",))
    numbered = (f"manylinux_2_{minor}_{machine}" for minor in range(28, oldest - 1, -1))
    return (*numbered, *(f"manylinux{name}_{machine}" for name in former))


def musl(machine: str) -> tuple[str, ...]:
    """musl 1.2: Alpine 3.13 and newer (PEP 656)."""
    return tuple(f"musllinux_1_{minor}_{machine}" for minor in (2, 1, 0))


MACHINES = {
    "Linux x86_64": Machine("linux", "x86_64", glibc("x86_64")),
    "Linux arm64": Machine("linux", "aarch64", glibc("aarch64")),
    "macOS 13 arm64": Machine("darwin", "arm64", tuple(mac_platforms((13, 0), "arm64"))),
    "macOS 13 x86_64": Machine("darwin", "x86_64", tuple(mac_platforms((13, 0), "x86_64"))),
    "musl x86_64": Machine("linux", "x86_64", musl("x86_64")),
    "musl arm64": Machine("linux", "aarch64", musl("aarch64")),
}


@dataclass(frozen=True)
class Pin:
    """One entry of a lock file; marker: where it is installed, "" for everywhere."""

    name: str
    version: str
    marker: str
    hashes: frozenset[str]

    @property
    def key(self) -> str:
        return f"{self.name}=={self.version}"

    def is_for(self, machine: Machine, python: str) -> bool:
        return not self.marker or Marker(self.marker).evaluate(machine.markers(python))


def pins(lock: str) -> Iterator[Pin]:
    """Every pin of a lock file's text."""
    for name, version, marker, hashes in PIN.findall(lock):
        yield Pin(name, version, marker, frozenset(re.findall(r"[0-9a-f]{64}", hashes)))


def best(files: Mapping[str, str], machine: Machine, python: str) -> str:
    """The file that an installer takes on the machine, "" where none fits. files: hashes by name."""
    place = machine.tags(python)
    fitting = [(min(place[tag] for tag in tags), name) for name in files if (tags := tags_of(name) & place.keys())]
    return min(fitting, default=(0, ""))[1]


@cache
def tags_of(file: str) -> frozenset[Tag]:
    """The tags of a wheel by its name; none of a source."""
    try:
        return parse_wheel_filename(file)[3]
    except InvalidWheelFilename:
        return frozenset()


def without_wheel(lock: str, wheels: Mapping[str, Mapping[str, str]], machine: Machine, python: str) -> set[str]:
    """The names of what the lock file pins for the machine without a wheel that fits, or with one of another hash."""
    wanted = [pin for pin in pins(lock) if pin.is_for(machine, python)]
    pinned = {pin.name: {f: h for f, h in wheels.get(pin.key, {}).items() if h in pin.hashes} for pin in wanted}
    return {name for name, files in pinned.items() if not best(files, machine, python)}


def needed(files: Mapping[str, str]) -> dict[str, str]:
    """What of a version's files the machines take; its source where it has no wheel. files: hashes by name"""
    taken = {best(files, machine, python) for machine in MACHINES.values() for python in PYTHONS} - {""}
    if not any(name.endswith(".whl") for name in files):
        taken = set(files)
    return {name: files[name] for name in sorted(taken)}


def published(lock: Path, uv: Path) -> dict[str, dict[str, str]]:
    """The files of each pin of a lock file by name==version, with their hashes, as the package index has them."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "pylock.toml"
        line = [str(uv), "pip", "compile", "--quiet", "--universal", "--no-deps", "--generate-hashes", str(lock)]
        subprocess.run([*line, "--format", "pylock.toml", "--output-file", str(written)], check=True)
        packages: list[dict[str, Any]] = tomllib.loads(written.read_text(encoding="utf-8"))["packages"]
    return {f"{package['name']}=={package['version']}": files_of(package) for package in packages}


def files_of(package: Mapping[str, Any]) -> dict[str, str]:
    """The files of one package of a lock in the form of PEP 751."""
    files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
    return {file["url"].rsplit("/", 1)[1]: file["hashes"]["sha256"] for file in files}


def main() -> None:
    uv = Path(sys.executable).parent / "uv"
    found: dict[str, dict[str, str]] = {}
    for lock in sorted(Path("requirements").glob("*.txt")):
        found |= {key: needed(files) for key, files in published(lock, uv).items()}
    Path(WHEELS).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
