"""What `python -m scripts.probe` does once its options are read: play, clean up, compare, write down."""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from awslang.bounded import read_file
from scripts.kit import asking
from scripts.kit.connect import Connection
from scripts.kit.console import UsageError, UserError, closest, counted, explain, near, say, table
from scripts.kit.output import replace_file
from scripts.kit.probes.every import PROBES
from scripts.kit.probes.lab import PREFIX, Lab
from scripts.kit.probes.leftovers import KINDS, clean
from scripts.kit.probes.probe import Answers, Probe, Skipped
from scripts.kit.regions import check_region
from scripts.kit.session import client_config, sign_in

EMBEDDED = Path(__file__).with_name("embedded.json")  # written by `python -m tests.support.probing`
LARGEST = 1_000_000  # bytes of it
FIRST_LINE = '{"written_by": "make probe",'  # by which a results file is known as the kit's
AWAY = {"here": "111111111111", "other": "222222222222"}  # what results say for the accounts' ids


@dataclass
class Result:
    """What came of a probe.

    outcome: answered, skipped or failed; why: it was not answered; left: what could not be removed
    """

    name: str
    question: str
    outcome: str = "answered"
    why: str = ""
    aws: Answers = field(default_factory=dict)
    embedded: Answers = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def differs(self) -> list[str]:
        """Where AWS and the embedded AWS answer otherwise."""
        if self.outcome != "answered":
            return []
        return [what for what in {**self.embedded, **self.aws} if self.aws.get(what) != self.embedded.get(what)]


def expected() -> dict[str, dict[str, Any]]:
    """What the embedded AWS answers to each probe, as a test recorded it."""
    found: dict[str, dict[str, Any]] = json.loads(read_file(EMBEDDED, LARGEST))
    return found


# -- before anything is sent -------------------------------------------------------------------


def choose(names: str | None) -> list[Probe]:
    """The probes of --only, or all of them."""
    wanted = names.split(",") if names else [*PROBES]
    for name in wanted:
        if name not in PROBES:
            raise UsageError(f"--only {name}: there is no such probe{closest(name, PROBES)}. --list shows them")
    return [PROBES[name] for name in dict.fromkeys(wanted)]


def total(probes: Iterable[Probe]) -> str:
    return f"${sum(probe.cost.dollars for probe in probes):.3f}"


def listing(probes: Sequence[Probe]) -> str:
    rows = [[one.name, f"{one.accounts}", f"${one.cost.dollars:.3f}", one.question] for one in probes]
    return table(["probe", "accounts", "at most", "question"], rows)


def plan(probes: Sequence[Probe]) -> str:
    lines = []
    for one in probes:
        lines += [f"{one.name}: {one.question}", f"  asks    {', '.join(one.requests)}"]
        if one.makes:
            lines.append(f"  makes   {', '.join(one.makes)} ({PREFIX}-{one.name}-…), and removes it")
        lines.append(f"  costs   at most ${one.cost.dollars:.3f} ({one.cost.source})")
    return "\n".join([*lines, f"{counted(len(probes), 'probe')}, at most {total(probes)}. No request was sent"])


def as_data(probes: Sequence[Probe]) -> list[dict[str, Any]]:
    return [
        {**{key: value for key, value in vars(one).items() if key != "run"}, "cost": asdict(one.cost)} for one in probes
    ]


def connect(option: str, profile: str | None, region: str | None) -> Connection:
    """Sign in; UsageError without a Region."""
    if region and (message := check_region(region)):
        raise UsageError(f"--region: {message}")
    session = sign_in(profile, region)
    if not session.region_name:
        raise UsageError(f"the profile of {option} has no Region: name one with --region")
    account = session.client("sts", config=client_config(session, "sts")).get_caller_identity()["Account"]
    return Connection(session, account, session.region_name)


def accounts(args: argparse.Namespace) -> tuple[Connection, Connection | None]:
    """The account of --profile, and that of --second-profile."""
    here = connect("--profile", args.profile, args.region)
    other = connect("--second-profile", args.second_profile, here.region) if args.second_profile else None
    if other is not None and other.account == here.account:
        raise UsageError(f"--second-profile {args.second_profile}: it belongs to account {here.account} as well")
    return here, other


# -- playing -----------------------------------------------------------------------------------


def play(probe: Probe, here: Connection, other: Connection | None) -> Result:
    """What a probe found; whatever it made is removed, also where it failed or was interrupted."""
    result = Result(probe.name, probe.question, embedded=expected().get(probe.name, {}))
    if probe.accounts == 2 and other is None:
        result.outcome, result.why = "skipped", "it needs a second account: name its profile with --second-profile"
        return result
    lab, prefix, began = Lab(probe.name, here, other), f"{PREFIX}-{probe.name}-", time.monotonic()
    clean(here, prefix, probe.makes, tell=True)
    try:
        result.aws = probe.run(lab)
    except Skipped as error:
        result.outcome, result.why = "skipped", str(error)
    except (ClientError, BotoCoreError, UserError) as error:
        result.outcome, result.why = "failed", explain(error)
    except KeyboardInterrupt:
        say(f"  interrupted: removing what {probe.name} made")
        raise
    finally:
        result.words = lab.words
        result.left = reported(clean(here, prefix, probe.makes))
        result.seconds = round(time.monotonic() - began, 1)
    return result


def reported(left: list[str]) -> list[str]:
    """The same, once it is said what could not be removed."""
    for one in left:
        say(f"  left: {one}")
    return left


def line_of(result: Result) -> list[str]:
    lines = [f"  {result.name:<22} {result.seconds:5.1f} s  {verdict(result)}"]
    for what in result.differs:
        lines.append(f"      {what}: {result.aws.get(what)} (the embedded AWS: {result.embedded.get(what)})")
    return lines


def verdict(result: Result) -> str:
    if result.outcome != "answered":
        return f"{result.outcome}: {result.why}"
    return f"differs in {len(result.differs)} of {len(result.aws)}" if result.differs else "as the embedded AWS"


def document(results: Sequence[Result], here: Connection, other: Connection | None) -> str:
    """The results file. Ids of accounts are replaced, so that it may be shown."""
    shown = [{**asdict(one), "differs": one.differs} for one in results]
    rest = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "region": here.region, "probes": shown}
    text = FIRST_LINE + json.dumps(rest, indent=2, default=str).removeprefix("{") + "\n"
    for one, name in ((here, AWAY["here"]), (other, AWAY["other"])):
        text = text.replace(one.account, name) if one else text
    return text


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM as Ctrl-C, so that what was made is removed then, too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def probe(args: argparse.Namespace) -> int:
    """Do as the options say; the exit code."""
    chosen = choose(args.only)
    if args.list or args.dry_run:
        shown = listing(chosen) if args.list else plan(chosen)
        print(json.dumps(as_data(chosen), indent=2) if args.json else shown)
        return 0
    if not args.yes and not asking.can_ask():
        raise UsageError("this makes resources in an account, and there is no terminal to ask on. Add --yes")
    here, other = accounts(args)
    if args.clean:
        return 1 if reported(clean(here, f"{PREFIX}-", KINDS, tell=True)) else 0
    many, most = counted(len(chosen), "probe"), total(chosen)
    what = f"{many} in account {here.account}, {here.region}: at most {most}"
    asking.require_typed(args.yes, what, "account's id", here.account)
    results: list[Result] = []
    replace_file(args.output, document(results, here, other), "--output")  # refused now, or not at all
    with interruptible():
        for one in chosen:
            results.append(play(one, here, other))
            say("\n".join(line_of(results[-1])))
            replace_file(args.output, document(results, here, other), "--output")
    say(f"{near(args.output)} has what AWS answered")
    if args.json:
        print(document(results, here, other), end="")
    return 1 if any(one.outcome == "failed" or one.left for one in results) else 0
