"""Build the bundle in build/: templates, the pipeline's code and the seed code as zips, a manifest with their hashes.

The same sources give the same bytes, from any folder and at any time.

examples:
  make package
  python -m scripts.package --output /tmp/bundle
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from scripts.kit import arguments
from scripts.kit.bundle import pack
from scripts.kit.console import UserError, make_parser, near, run, say
from scripts.kit.marker import Prints, print_of
from scripts.kit.output import Output, nothing

KINDS = re.compile(r"templates/[0-9]{2}-[a-z0-9-]+\.yaml|[a-z0-9-]+\.zip|" + re.escape(pack.MANIFEST))


def former(build: Path) -> Prints:
    """What a version without this marker packed: the manifest, and the files that it lists with their SHA-256."""
    try:
        listed = {**pack.read_manifest(build)[2], pack.MANIFEST: print_of(build / pack.MANIFEST)}
    except UserError:
        return {}
    return {name: frozenset({digest}) for name, digest in listed.items()}


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
        kinds=KINDS,
    )
    bundle = pack.pack(pack.read_tree(args.root))
    write(output, bundle)
    say(f"packed {bundle.name}: {len(bundle.files)} files in {near(build)}")
    print(bundle.name)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
