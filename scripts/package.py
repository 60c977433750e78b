"""Build the bundle in build/: templates, seed code as zips, and a manifest with the hash of each file.

The same sources give the same bytes, from any folder and at any time.

examples:
  make package
  python -m scripts.package --output /tmp/bundle
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts.kit import arguments
from scripts.kit.bundle import pack
from scripts.kit.console import UserError, make_parser, near, run, say
from scripts.kit.output import Output, nothing


def former(build: Path) -> Iterable[str]:
    """What a version without markers packed: the manifest, and the files that it lists."""
    try:
        return [*pack.read_manifest(build)[2], pack.MANIFEST]
    except UserError:
        return ()


def write(output: Output, bundle: pack.Bundle) -> None:
    """The bundle's files; the manifest last, so that a bundle half written is never taken for one."""
    output.replace({**bundle.files, pack.MANIFEST: pack.manifest(bundle)})


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.package", __doc__)
    parser.add_argument("--root", type=arguments.path, default=pack.ROOT, help="the tree to pack (default: this one)")
    parser.add_argument(
        "--output", type=arguments.path, metavar="FOLDER", help="where to write (default: build/ in that tree)"
    )
    args = parser.parse_args(argv)
    build = args.output or args.root / "build"
    output = Output(
        build,
        "package",
        beside=("console", "notebooks", "rehearsal", "taskcat"),
        older=nothing if args.output else former,
    )
    bundle = pack.pack(pack.read_tree(args.root))
    write(output, bundle)
    say(f"packed {bundle.name}: {len(bundle.files)} files in {near(build)}")
    print(bundle.name)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
