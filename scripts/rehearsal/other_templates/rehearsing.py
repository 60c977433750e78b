"""What `python -m scripts.rehearse --template` does with its options."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from localaws import private
from scripts.kit.console import UsageError, near, paint, say
from scripts.rehearsal import images_file
from scripts.rehearsal.embedded import embedded_aws, require_port
from scripts.rehearsal.folder import TEMPLATE, claim, claimed
from scripts.rehearsal.other_templates import check as template_check
from scripts.rehearsal.other_templates import play as template_play
from scripts.rehearsal.other_templates import report as template_report
from scripts.rehearsal.other_templates import seeds as template_seeds
from scripts.rehearsal.other_templates import trust
from scripts.rehearsal.other_templates.options import attachments, pairs
from scripts.rehearsal.other_templates.run import Options, Run
from scripts.rehearsal.policies_file import write_policies
from scripts.rehearsal.report.template_page import template_page

EXIT = {"succeeded": 0, "waiting": 0, "failed": 1, "refused": 1}


def options(args: argparse.Namespace) -> Options:
    """The options; paths that are not there are a usage error at once."""
    seeds = {name: Path(folder) for name, folder in pairs("--seed-code", args.seed_code).items()}
    for path in [args.template, *args.setup, *seeds.values()]:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
    for path in seeds.values():
        if not path.is_dir():
            template_seeds.zipped(path)  # says what is wrong with a zip file before anything starts
    for path in (args.template, *args.setup):
        template_check.read(path)
    return Options(
        template=args.template,
        seeds=seeds,
        parameters=pairs("--parameter", args.parameter),
        style=args.style,
        approve=args.approve,
        setup=tuple(args.setup),
        attach=tuple(attachments(args.attach)),
        replace=pairs("--replace", args.replace),
        launch_role=args.launch_role or "",
        project=args.project,
        region=args.region,
        patience=args.patience,
        model=args.model or "",
    )


def rehearse(args: argparse.Namespace) -> int:
    """Run the template, report, and give the exit code."""
    chosen = options(args)
    trust.require(chosen.template, args.trust)
    require_port(args.port)
    stand_ins = images_file.chosen(args.images)
    start, ours = time.monotonic(), claim(args.folder, names=TEMPLATE)
    folder = ours / TEMPLATE[0]
    with claimed(ours, TEMPLATE), embedded_aws(folder, args.port, strangers=True) as cloud:
        cloud.stand_ins = stand_ins
        run = Run(cloud, chosen)
        say(paint(f"{chosen.template} as a {chosen.style} project", "1"))
        template_play.play(run)
        report = template_report.report(run, time.monotonic() - start)
        write_policies(cloud, folder / "policies.json")
        private.write(folder / "report.json", json.dumps(report, indent=2) + "\n")
        private.write(folder / "report.html", template_page(report))
    template_report.show(report)
    say(f"{near(folder / 'report.html')} shows it all")
    if args.json:
        print(json.dumps(report, indent=2))
    return EXIT[report["outcome"]]
