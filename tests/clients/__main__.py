"""Run programs of others against a rehearsal: the AWS CLI, git, both SageMaker SDKs, the CDK, SAM and taskcat.

Each does what people do with it on AWS, with the credentials of a person of the story, and must end as it does there.

examples:
  make clients
  make clients ARGS="--only cdk,sam"
  make clients ARGS=--write
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.kit import arguments
from scripts.kit.console import UsageError, make_parser, run, say, table
from scripts.kit.output import replace_file
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.notebooks.detour import Detour
from scripts.rehearsal.story import Story
from tests.clients.table import CLIENTS, HEAD, PAGE, Client, rows, shown
from tests.clients.world import ClientFailed, World

FOLDER = Path("build/clients")


def names() -> dict[str, Client]:
    """The clients by the names of their plays."""
    return {client.play.__name__: client for client in CLIENTS}


def outcomes(chosen: Sequence[Client]) -> dict[Client, tuple[bool, str, float]]:
    """What came of each: whether it did what it should, what it saw or what went wrong, and the seconds."""
    found = {}
    server = embedded_aws(FOLDER / "aws")
    with server as cloud, Detour((FOLDER / "certificates").resolve(), server.adopt) as detour:
        (FOLDER / "story").mkdir(parents=True, exist_ok=True)
        story = Story(cloud, FOLDER / "story")
        play(story, until="project")
        world = World(server, story, detour, FOLDER.resolve())
        for client in chosen:
            say(f"    {client.name}")
            start = time.monotonic()
            try:
                said, good = client.play(world), True
            except ClientFailed as error:
                said, good = str(error), False
            found[client] = good, said, time.monotonic() - start
        for fault in cloud.faults:
            say(f"{fault.where}\n{fault.traceback}")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("tests.clients", __doc__)
    parser.add_argument(
        "--only", type=arguments.listed(arguments.word), metavar="NAMES", help=f"of {', '.join(names())} (default: all)"
    )
    parser.add_argument(
        "--write", action="store_true", help="write the outcomes of those that ran into docs/developing/clients.md"
    )
    args = parser.parse_args(argv)
    wanted = args.only.split(",") if args.only else list(names())
    if unknown := sorted(set(wanted) - set(names())):
        raise UsageError(f"--only {', '.join(unknown)}: the clients are {', '.join(names())}")
    found = outcomes([names()[name] for name in wanted])
    lines = [[c.name, c.version, "done" if good else "failed", f"{s:.0f} s"] for c, (good, _, s) in found.items()]
    say(table(["client", "version", "outcome", "time"], lines))
    for client, (good, said, _) in found.items():
        if not good:
            say(f"\n{client.name}: {said}")
    failed = [client for client, (good, _, _) in found.items() if not good]
    if args.write and not failed:
        text = PAGE.read_text(encoding="utf-8")
        made = rows(shown(text) | {client.name: said for client, (_, said, _) in found.items()})
        replace_file(PAGE, re.sub(re.escape(HEAD) + r"(?:\|.*\n)*", lambda _: made, text), "--write")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(run(main))
