"""Write the files and the one page of values for publishing by hand in the console, as in the post.

Nothing is asked of AWS. What the page registers in the Service Catalog console is what `make publish` would.

examples:
  make console-bundle
  python -m scripts.console_bundle --environment eu.yaml --output /tmp/console
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from scripts.kit import arguments
from scripts.kit.bundle import installation, pack
from scripts.kit.bundle.option import add_bundle_option
from scripts.kit.command import add_file_options, choose_region
from scripts.kit.console import UserError, make_parser, near, run, say
from scripts.kit.marker import MARKER, Prints
from scripts.kit.output import UNKNOWN, Output, nothing
from scripts.kit.publish import by_hand, catalog
from scripts.kit.regions import partition
from scripts.kit.settings.reading import load
from scripts.kit.settings.where import UNIT_ID

KINDS = re.compile(f"{re.escape(by_hand.PAGE)}|{re.escape(by_hand.TEMPLATE)}|bundle/[0-9a-f]{{64}}/[a-z0-9./-]+")


def unit_id(unit: str, key: str) -> str:
    """A unit that is given by its id. One that is given by its path cannot be looked up: AWS is not asked."""
    if unit and not re.fullmatch(UNIT_ID, unit):
        raise UserError(
            f"{key}: {unit} is the path of a unit. Write its id (Organizations console), because the page must hold it"
        )
    return unit


def former(folder: Path) -> Prints:
    """What a version without this marker wrote, where it alone wrote into the folder; it is put aside."""
    there = {path.name for path in folder.iterdir()} - {MARKER}
    others = [path for path in folder.glob("bundle/*") if not re.fullmatch("[0-9a-f]{64}", path.name)]
    if there != {by_hand.PAGE, by_hand.TEMPLATE, "bundle"} or others:
        return {}
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()]
    return {name: UNKNOWN for name in names if name != MARKER}


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.console_bundle", __doc__)
    add_file_options(parser)
    add_bundle_option(parser, "the bundle to publish")
    parser.add_argument(
        "--output",
        type=arguments.path,
        metavar="FOLDER",
        help="where to write (default: console/ in the bundle's)",
    )
    args = parser.parse_args(argv)
    settings = load(args.environment)
    built = pack.read_build(args.bundle)
    pack.check_fresh(built, pack.ROOT)
    region = choose_region(settings, args.region)
    bundle = installation.with_defaults(built, settings, region, unit_id)
    want = catalog.wanted(settings, bundle, settings.accounts.data_science, region, partition(region))
    output = args.output or args.bundle / "console"
    older = nothing if args.output else former
    Output(output, "console-bundle", older=older, kinds=KINDS).replace(by_hand.files(want, bundle))
    say(f"{bundle.name}{settings.remark}: open {near(output / by_hand.PAGE)} and follow it")
    print(output / by_hand.PAGE)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
