"""What `python -m scripts.doctor` does once its options are read."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from botocore import xform_name
from botocore.exceptions import ClientError

from scripts.kit.bundle import pack
from scripts.kit.command import elsewhere, start
from scripts.kit.connect import Connection
from scripts.kit.console import UserError, paint, say
from scripts.kit.doctor import report, snapshot
from scripts.kit.doctor.checks.every import CHECKS
from scripts.kit.doctor.checks.expected import Expected, expected
from scripts.kit.doctor.findings import Finding, Request, run_checks
from scripts.kit.doctor.reader import Reader
from scripts.kit.publish import defaults
from scripts.kit.settings.model import Settings


def bundle_in(folder: Path, settings: Settings, connection: Connection) -> pack.Bundle | None:
    """The bundle as it is published here; None where none is built, or these credentials do not see the OUs."""
    if not (folder / pack.MANIFEST).exists():
        return None
    try:
        return defaults.installed(pack.read_build(folder), settings, connection)
    except (ClientError, UserError) as error:
        say(f"  note: the published files are not compared with {folder}: {error}")
        return None


def look(reader: Reader, settings: Settings, bundle: pack.Bundle | None, project: str, typed: str) -> list[Finding]:
    return look_at(reader, settings, bundle, project, typed)[0]


def look_at(
    reader: Reader, settings: Settings, bundle: pack.Bundle | None, project: str, typed: str
) -> tuple[list[Finding], tuple[Expected, ...]]:
    """What the checks find, and the principals that could get past the approver as they should."""
    reader.notes.clear()
    facts = snapshot.gather(reader, settings, bundle, project, typed)
    return run_checks(facts, CHECKS.values()), expected(facts)


def fix(reader: Reader, findings: Sequence[Finding], dry_run: bool) -> bool:
    """Show the safe requests, and send them unless dry_run; whether anything was sent."""
    requests: dict[str, Request] = {found.fix: found.place.request for found in findings if found.place.request}
    for command, request in requests.items():
        say(paint(f"  ~ {request.account}  {command}", "33"))
        if not dry_run:
            client = reader.client(request.account, request.service, request.region)
            getattr(client, xform_name(request.operation))(**request.parameters)
    count = f"{len(requests)} request{'s' * (len(requests) != 1)}"
    say(f"{count} {'planned' if dry_run else 'sent'}" if requests else "nothing that --fix could fix")
    return bool(requests) and not dry_run


def check_installation(args: argparse.Namespace) -> int:
    """Check, fix where it is asked for, and report; the exit code."""
    settings, connection = start(args, anywhere=True)
    bundle = bundle_in(args.bundle, settings, connection)
    reader = Reader(connection)
    where = f"{args.environment}, {connection.region}, from account {connection.account}"
    say(f"checking the installation of {where}{settings.remark}:")
    findings, could = look_at(reader, settings, bundle, args.project or "", elsewhere(args))
    if args.fix and fix(reader, findings, args.dry_run):
        findings, could = look_at(reader, settings, bundle, args.project or "", elsewhere(args))
    if args.json:
        print(json.dumps(report.as_data(findings, reader.notes, could), indent=2))
    else:
        print("\n".join(report.lines(findings, reader.notes, could)))
    return 1 if any(found.check.severity == "error" for found in findings) else 0
