"""Play the whole story on this machine: an embedded AWS stands in for the organization.

examples:
  make rehearse
  python -m scripts.rehearse --until project --keep
  python -m scripts.rehearse --administrator management
  python -m scripts.rehearse --administrator self-managed
  python -m scripts.rehearse --regions us-east-1,eu-west-1
  python -m scripts.rehearse --template template.yaml --seed-code build.zip=seed-code/build --approve
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence

from scripts.kit import arguments
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UsageError, make_parser, paint, run, say
from scripts.kit.regions import check_region, partition
from scripts.kit.settings.reading import FURTHER_REGIONS
from scripts.rehearsal import record
from scripts.rehearsal.chapters import CHAPTERS, play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.keeping import keep
from scripts.rehearsal.live import view
from scripts.rehearsal.other_templates import options as template_options
from scripts.rehearsal.story import Story, StoryFailed

DEFAULT_FOLDER = ROOT / "build" / "rehearsal"


def parser() -> argparse.ArgumentParser:
    made = make_parser("rehearse", __doc__)
    made.add_argument(
        "--administrator",
        choices=["delegated", "management", "self-managed"],
        default="delegated",
        help="who creates the stack sets. delegated: the data science account, as a delegated administrator; "
        "management: the management account, which then is the data science account too (the post's way); "
        "self-managed: the data science account, without an organization",
    )
    made.add_argument("--until", choices=list(CHAPTERS), metavar="CHAPTER", help="stop after: " + ", ".join(CHAPTERS))
    made.add_argument("--keep", action="store_true", help="leave the embedded AWS running afterwards, until Ctrl-C")
    made.add_argument(
        "--port",
        type=arguments.whole(0, 65535),
        default=0,
        help="loopback port of the embedded AWS (default: a free one)",
    )
    made.add_argument(
        "--region", type=arguments.word, default="us-east-1", help="region of the story (default: %(default)s)"
    )
    made.add_argument(
        "--regions",
        type=arguments.listed(arguments.word),
        metavar="REGION,…",
        help="regions of both stages' endpoints, at most three besides --region (default: that of the story)",
    )
    made.add_argument(
        "--project", type=arguments.project, default="iris-multi-01", help="name of the project (default: %(default)s)"
    )
    made.add_argument("--json", action="store_true", help="print the summary as JSON on stdout")
    made.add_argument(
        "--folder",
        type=arguments.absolute,
        default=DEFAULT_FOLDER,
        help="where the rehearsal writes (default: build/rehearsal)",
    )
    template_options.add_options(made)
    return made


def check(args: argparse.Namespace) -> tuple[str, ...]:
    """The regions of the stages' endpoints; UsageError for an option that cannot be."""
    regions = tuple(args.regions.split(",")) if args.regions else ()
    for option, region in (("--region", args.region), *(("--regions", region) for region in regions)):
        if message := check_region(region):
            raise UsageError(f"{option}: {message}")
        if partition(region) != "aws":
            raise UsageError(f"{option} {region}: the rehearsal supports the partition aws only. Example: us-east-1")
    if len({*regions} - {args.region}) > FURTHER_REGIONS:
        raise UsageError(
            f"--regions {args.regions}: at most {FURTHER_REGIONS} besides {args.region}: a stage has room for no more"
        )
    return regions


def tell_failure(story: Story, failure: StoryFailed) -> None:
    chapter = next((c.name for c in story.chapters if c.outcome == "failed"), "")
    where = f" in chapter {chapter}" if chapter else ""
    where += f" in account {failure.account}" if failure.account else ""
    say(f"\n{paint('failed', '31')}{where}: {failure}")
    if failure.log:
        say(failure.log)


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    regions, folder = check(args), args.folder
    if args.template:
        return template_options.rehearse(args)
    start = time.monotonic()
    server = embedded_aws(folder, args.port)
    record.clear(folder)
    failure: StoryFailed | None = None
    with server as cloud:
        story = Story(cloud, folder, args.administrator, args.region, args.project, regions=regions)
        try:
            with view(story):
                play(story, args.until)
        except StoryFailed as error:
            failure = error
            tell_failure(story, failure)  # before anything else that could go wrong
        outcome = "failed" if failure else "stopped early" if args.until else "succeeded"
        seconds = time.monotonic() - start
        summary = record.write(story, outcome, seconds, failure)
        if args.json:
            print(json.dumps(summary, indent=2))
        if not failure:
            report = folder / record.REPORT
            shows = f"; {os.path.relpath(report)} shows it all" if report.exists() else ""
            say(f"\n{paint(outcome, '32')} in {seconds:.1f} s{shows}")
        if args.keep:
            keep(story)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(run(main))
