"""Build the bundle in build/: templates, seed code as zips, and a manifest with the hash of each file.

The same sources give the same bytes, from any folder and at any time.

examples:
  make package
  python -m scripts.package --output /tmp/bundle
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from scripts.kit import arguments
from scripts.kit.bundle import pack
from scripts.kit.console import make_parser, near, run, say


def write(build: Path, bundle: pack.Bundle) -> None:
    """The bundle's files beneath build/; the manifest last, so that a bundle half written is never taken for one."""
    (build / pack.MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(build / "templates", ignore_errors=True)
    for name, content in bundle.files.items():
        target = build / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (build / pack.MANIFEST).write_bytes(pack.manifest(bundle))


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("package", __doc__)
    parser.add_argument("--root", type=arguments.path, default=pack.ROOT, help="the tree to pack (default: this one)")
    parser.add_argument(
        "--output", type=arguments.path, metavar="FOLDER", help="where to write (default: build/ in that tree)"
    )
    args = parser.parse_args(argv)
    build = args.output or args.root / "build"
    bundle = pack.pack(pack.read_tree(args.root))
    write(build, bundle)
    say(f"packed {bundle.name}: {len(bundle.files)} files in {near(build)}")
    print(bundle.name)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
