"""List the published versions, newest first, and which version each project runs. Reads only.

examples:
  make versions
  python -m scripts.versions --profile data-science --json
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from scripts.kit.command import add_options, start
from scripts.kit.console import make_parser, run, table
from scripts.kit.projects import provisioned
from scripts.kit.publish import versions


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.versions", __doc__)
    add_options(parser, dry_run="", prints="the versions and what each project runs")
    args = parser.parse_args(argv)
    settings, connection = start(args)
    published = versions.installed_versions(connection, settings)
    running = provisioned.running(connection)
    if args.json:
        print(json.dumps(provisioned.as_data(published, running), indent=2))
        return 0
    users = {version.name: [r.project for r in running if r.bundle_version == version.name] for version in published}
    print(
        table(
            ["VERSION", "PUBLISHED (UTC)", "SERVICE CATALOG", "S3", "PROJECTS", "SHA-256"],
            [
                [
                    version.name,
                    version.published,
                    version.guidance.get(versions.CATALOG, "-"),
                    version.guidance.get(versions.S3, "-"),
                    ", ".join(users[version.name]) or "-",
                    version.digest or "unknown",
                ]
                for version in published
            ],
        )
        if published
        else "nothing is published yet: `make package`, then `make publish`"
    )
    print()
    print(
        table(
            ["PROJECT", "ID", "STATUS", "FROM", "VERSION", "SEED CODE OF"],
            [[r.project, r.id, r.status, r.publisher or "-", r.bundle_version or "-", r.seed or "-"] for r in running],
        )
        if running
        else "no project was made from the kit yet"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
