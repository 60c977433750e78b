"""Build the release in dist/: the zip from which the kit is installed without git, its SBOM, and their checksums.

The same commit gives the same bytes. The zip holds the product alone: the commands of the Makefile with their library,
templates, seed code, the pipeline's steps, documents, and the lock file of what it needs.

examples:
  make release
  python -m scripts.release --allow-changes --output /tmp/dist
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from awslang.bounded import read_file
from scripts.kit import arguments
from scripts.kit.bundle import pack
from scripts.kit.console import UsageError, UserError, make_parser, near, run, say
from scripts.kit.git import git
from scripts.kit.marker import MARKER, Prints, print_of
from scripts.kit.output import Output, nothing

SBOM_PYTHON = pack.ROOT / ".venv-release" / "bin" / "python"  # made by `make release` from requirements/release.txt
SBOM, SUMS, LOCK, UV = "sbom.cdx.json", "SHA256SUMS", "requirements/runtime.txt", "requirements/uv.txt"
KINDS = re.compile(r"[a-z0-9.-]+\.(zip|cdx\.json)|" + SUMS)
SHIPPED = {
    "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "SECURITY.md", "environment.example.yaml", "pyproject.toml",
    LOCK, UV, "awslang", "docs", "notebooks", "pipeline", "scripts", "seed-code", "templates",
}  # fmt: skip
# And the commands that the Makefile does not have.
NOT_SHIPPED = {"scripts/rehearsal", "scripts/kit/lint", "scripts/kit/probes"}


def is_inside(name: str, parts: set[str]) -> bool:
    """Whether a file is one of the parts, or is inside one that is a folder."""
    path = PurePosixPath(name)
    return not parts.isdisjoint(str(part) for part in (path, *path.parents))


def product(root: Path) -> dict[str, bytes]:
    """The product's files by their path in the clone: what git tracks of them, as the working tree has it."""
    targets = re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    commands = {target.replace("-", "_") for target in targets} | {"__init__"}
    others = {f"scripts/{path.name}" for path in (root / "scripts").glob("*.py") if path.stem not in commands}
    tracked = git("ls-files", "-z", folder=root).split("\0")
    names = [name for name in tracked if is_inside(name, SHIPPED) and not is_inside(name, NOT_SHIPPED | others)]
    if missing := sorted(part for part in SHIPPED if not any(is_inside(name, {part}) for name in names)):
        raise UserError(f"git tracks no {', '.join(missing)}, which a release holds")
    return {name: (root / name).read_bytes() for name in names}


def sbom(root: Path) -> bytes:
    """The software bill of materials of the lock file, CycloneDX 1.6, dated like the commit."""
    if not SBOM_PYTHON.exists():
        raise UsageError("cyclonedx-py is not installed: run `make release`, which installs it into .venv-release")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / SBOM
        line = f"requirements {LOCK} --pyproject pyproject.toml --spec-version 1.6 --output-reproducible"
        date = git("log", "-1", "--format=%ct", folder=root).strip()
        variables = {**os.environ, "SOURCE_DATE_EPOCH": date, "PYTHONWARNINGS": "ignore::UserWarning"}
        command = [str(SBOM_PYTHON), "-m", "cyclonedx_py", *shlex.split(line), "--output-file", str(written)]
        done = subprocess.run(command, cwd=root, env=variables, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"cyclonedx-py failed:\n{done.stderr.strip()}")
        return written.read_bytes()


def checksums(files: Mapping[str, bytes]) -> bytes:
    """The lines that `sha256sum --check` and `shasum -a 256 --check` read."""
    return "".join(f"{pack.sha256(files[name])}  {name}\n" for name in sorted(files)).encode()


def release(files: Mapping[str, bytes], bill: bytes) -> dict[str, bytes]:
    """What is released, by file name. files: the product's; bill: its SBOM."""
    project = tomllib.loads(files["pyproject.toml"].decode())["project"]
    folder = f"{project['name']}-{project['version']}"
    inside = {**files, SBOM: bill}
    inside[SUMS] = checksums(inside)
    archive = pack.zip_bytes({f"{folder}/{name}": content for name, content in inside.items()})
    released = {f"{folder}.zip": archive, f"{folder}.cdx.json": bill}
    return {**released, SUMS: checksums(released)}


def former(folder: Path) -> Prints:
    """What a version without this marker wrote, where it alone wrote into the folder: what SHA256SUMS lists."""
    try:
        lines = [line.split("  ", 1) for line in read_file(folder / SUMS, pack.LARGEST).decode().splitlines()]
        listed = {name: frozenset({digest}) for digest, name in lines}
        listed[SUMS] = frozenset({print_of(folder / SUMS)})
    except (OSError, ValueError):
        return {}
    return listed if {path.name for path in folder.iterdir()} - {MARKER} <= listed.keys() else {}


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.release", __doc__)
    parser.add_argument(
        "--output",
        type=arguments.path,
        default=pack.ROOT / "dist",
        metavar="FOLDER",
        help="where to write (default: dist/)",
    )
    parser.add_argument("--allow-changes", action="store_true", help="build from files that differ from the commit too")
    args = parser.parse_args(argv)
    if (changed := git("status", "--porcelain", folder=pack.ROOT).splitlines()) and not args.allow_changes:
        files = "1 file differs" if len(changed) == 1 else f"{len(changed)} files differ"
        raise UserError(
            f"{files} from the commit, so this release could not be built again: commit, or --allow-changes"
        )
    default = args.output == pack.ROOT / "dist"  # a folder of the command line may hold other files
    output = Output(args.output, "release", older=former if default else nothing, kinds=KINDS)
    output.check(())  # before the SBOM, which takes its time
    released = release(product(pack.ROOT), sbom(pack.ROOT))
    output.replace(released)
    for name, content in released.items():
        say(f"{near(args.output / name)}: {len(content):,} bytes")
        print(args.output / name)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
