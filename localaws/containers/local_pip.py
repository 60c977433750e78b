"""pip as a build has it: packages that this machine has installed are linked from there, pip does the rest.

Run as a program: `python local_pip.py FROM INTO ARGUMENT…`, with the folders of installed packages (separated as in
PATH) and the build's own. A rehearsal then needs no network for them, and no build downloads what is here already. A
version that was asked for and is another one here is left to pip. It runs in the build's Python, and imports nothing of
ours.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import runpy
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

Installed = Mapping[str, importlib.metadata.Distribution]  # by name, in the form that pip compares
NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*($|[\[=<>!~;#])")
FILES = ("-r", "--requirement")


def plain(name: str) -> str:
    """Python Packaging User Guide, "Names and normalization"."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(folders: Iterable[str]) -> Installed:
    return {plain(found.name): found for found in importlib.metadata.distributions(path=list(folders))}


def asked(arguments: Sequence[str]) -> Iterator[str]:
    """The names of packages on a command line of `pip install`, and in the files that it names."""
    for before, argument in zip(("", *arguments), arguments, strict=False):
        flag, _, value = argument.partition("=")
        file = argument if before in FILES else value if flag == FILES[1] else ""
        if file and Path(file).is_file():
            yield from (m[1] for line in Path(file).read_text(encoding="utf-8").splitlines() if (m := NAME.match(line)))
        elif not file and (found := NAME.match(argument)):
            yield found[1]


def needed(names: Iterable[str], there: Installed) -> dict[str, importlib.metadata.Distribution]:
    """The packages of these names that are there, with what they need."""
    from pip._vendor.packaging.requirements import Requirement  # the build's pip brings it

    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [plain(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found or name not in there:
            continue
        found[name] = there[name]
        for line in there[name].requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(plain(requirement.name))
    return found


def link(package: importlib.metadata.Distribution, into: Path) -> None:
    tops = {file.parts[0] for file in package.files or () if file.parts[0] not in {"..", "__pycache__"}}
    for top in tops:
        if not os.path.lexists(into / top):
            (into / top).symlink_to(Path(str(package.locate_file(top))))


def main(folders: str, into: str, *arguments: str) -> None:
    if arguments[:1] == ("install",):
        for name, package in sorted(needed(asked(arguments[1:]), installed(folders.split(os.pathsep))).items()):
            link(package, Path(into))
            print(f"The embedded AWS takes {name} {package.version} of this machine", flush=True)
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    sys.argv = ["pip", *arguments]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
