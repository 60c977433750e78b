"""Write the files and the one page of values for publishing by hand in the console, as in the post.

Nothing is asked of AWS. What the page registers in the Service Catalog console is what `make publish` would.

examples:
  make console-bundle
  python -m scripts.console_bundle --environment eu.yaml --output /tmp/console
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence

from scripts.kit import arguments
from scripts.kit.bundle import installation, pack
from scripts.kit.command import add_file_options, choose_region
from scripts.kit.console import UserError, make_parser, near, run, say
from scripts.kit.publish import by_hand, catalog
from scripts.kit.regions import partition
from scripts.kit.settings.reading import UNIT_ID, load


def unit_id(unit: str, key: str) -> str:
    """A unit that is given by its id. One that is given by its path cannot be looked up: AWS is not asked."""
    if unit and not re.fullmatch(UNIT_ID, unit):
        raise UserError(
            f"{key}: {unit} is the path of a unit. Write its id (Organizations console), because the page must hold it"
        )
    return unit


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("console_bundle", __doc__)
    add_file_options(parser)
    parser.add_argument("--bundle", type=arguments.path, default=pack.BUILD, metavar="FOLDER", help="default build/")
    parser.add_argument(
        "--output", type=arguments.path, metavar="FOLDER", help="default console/ in the bundle's folder"
    )
    args = parser.parse_args(argv)
    settings = load(args.environment)
    built = pack.read_build(args.bundle)
    pack.check_fresh(built, pack.ROOT)
    region = choose_region(settings, args.region)
    bundle = installation.with_defaults(built, settings, region, unit_id)
    want = catalog.wanted(settings, bundle, settings.accounts.data_science, region, partition(region))
    output = args.output or args.bundle / "console"
    shutil.rmtree(output, ignore_errors=True)
    for name, content in by_hand.files(want, bundle).items():
        target = output / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    say(f"{bundle.name}: open {near(output / by_hand.PAGE)} and follow it")
    print(output / by_hand.PAGE)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
