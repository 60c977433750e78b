"""What the commands share: their options, and how each begins with the settings and a connection."""

from __future__ import annotations

import argparse
import shlex

from scripts.kit import arguments
from scripts.kit.connect import Connection, require_account
from scripts.kit.console import UsageError
from scripts.kit.regions import check_region
from scripts.kit.session import client_config, sign_in
from scripts.kit.settings.model import Settings
from scripts.kit.settings.reading import DEFAULT_FILE, load


def add_options(
    parser: argparse.ArgumentParser,
    dry_run: str = "show the plan and change nothing",
    prints: str = "the plan and the result",
) -> None:
    """The options that the commands share.

    dry_run: what --dry-run does, "" for a command that changes nothing; prints: what --json prints
    """
    add_file_options(parser)
    parser.add_argument(
        "--profile",
        type=arguments.label,
        metavar="NAME",
        help="AWS profile to sign in with (default: as the AWS CLI does)",
    )
    if dry_run:
        parser.add_argument("--dry-run", action="store_true", help=dry_run)
    parser.add_argument("--json", action="store_true", help=f"print {prints} as JSON on stdout")


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """The options of a command that only reads the environment file."""
    parser.add_argument(
        "--environment",
        type=arguments.path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"the environment file (default: {DEFAULT_FILE})",
    )
    parser.add_argument(
        "--region", type=arguments.word, metavar="REGION", help="instead of the Region in the environment file"
    )


def elsewhere(args: argparse.Namespace) -> str:
    """The file and the Region as typed, for a command in a message: " --environment eu.yaml", or ""."""
    file = f" --environment {shlex.quote(str(args.environment))}" if args.environment != DEFAULT_FILE else ""
    return file + (f" --region {args.region}" if args.region else "")


def choose_region(settings: Settings, region: str | None) -> str:
    """The Region of the command line or of the environment file; one that does not exist is a usage error."""
    if region and (message := check_region(region)):
        raise UsageError(f"--region: {message}")
    return region or settings.region


def connect(settings: Settings, profile: str | None, region: str | None) -> Connection:
    """Sign in as the command line says."""
    chosen = choose_region(settings, region)
    session = sign_in(profile, chosen)
    account = session.client("sts", config=client_config(session, "sts")).get_caller_identity()["Account"]
    return Connection(session, account, chosen)


def connect_home(settings: Settings, args: argparse.Namespace) -> Connection:
    """Sign in to the data science account; UserError where the credentials belong to another."""
    connection = connect(settings, args.profile, args.region)
    require_account(connection, settings.accounts.data_science, "accounts.data_science")
    return connection


def start(args: argparse.Namespace, anywhere: bool = False) -> tuple[Settings, Connection]:
    """The settings and a connection, as the options say.

    UserError unless the credentials belong to the data science account; anywhere: those of another will do, too
    """
    settings = load(args.environment)
    if anywhere:
        return settings, connect(settings, args.profile, args.region)
    return settings, connect_home(settings, args)
