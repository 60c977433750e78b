"""The options of a team's own repositories, which are read without loading the embedded AWS."""

from __future__ import annotations

import argparse

from scripts.kit import arguments

LAST = "production"  # the last chapter of such a story: TestProd has sent the golden payloads then


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "a team's own repositories",
        f"rehearse a change before it is merged: the story runs to {LAST} with these folders, which are only "
        "read, in place of the seed code; changes.md in the rehearsal's folder says what would change",
    )
    group.add_argument(
        "--deploy-repository",
        type=arguments.absolute,
        metavar="FOLDER",
        help="a checkout of a deploy repository: settings, golden payloads, own tests",
    )
    group.add_argument(
        "--training-repository",
        type=arguments.absolute,
        metavar="FOLDER",
        help="a checkout of a training repository: project.toml, steps, data",
    )
    group.add_argument(
        "--base",
        type=arguments.absolute,
        action="append",
        default=[],
        metavar="FOLDER",
        help="what to compare with: another checkout of the same repository, such as its main branch; given twice "
        "where both are rehearsed (default: the seed code)",
    )
