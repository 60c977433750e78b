"""The option that names a bundle: one for every command that reads one."""

from __future__ import annotations

import argparse

from scripts.kit import arguments
from scripts.kit.bundle import pack


def add_bundle_option(parser: argparse.ArgumentParser, use: str) -> None:
    """Add ``--bundle FOLDER``, ``build/`` when it is not given; `use` is the start of its line in ``--help``."""
    parser.add_argument(
        "--bundle", type=arguments.path, default=pack.BUILD, metavar="FOLDER", help=f"{use} (default: build/)"
    )
