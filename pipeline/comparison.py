"""The candidate's answers in staging beside those of the version that is live: agreement, latency, errors. Pure.

The live version's are what the tests of production heard from it: the record of outcomes keeps each answer with a hash
of its request, and only the role of the tests may write there, once (30-project.yaml, OnlyTestsWriteOutcomes). Build
looks them up and hands them on; TestStaging compares. Neither a commit nor a second endpoint says what is live.

Answers are compared as a payload compares an answer with the expected one, with its tolerances. `agreement` of the
gates (metric_gates.py) is the least share of the compared payloads on which both must agree.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.answers import difference
from pipeline.console import counted, one_word, shorten
from pipeline.documents import parts
from pipeline.outcome import Checked
from pipeline.payloads import Golden, Payload

LIVE, FOUND = "live-answers.json", "comparison.json"  # in the artifacts of Build and of TestStaging
PERCENTILES = (50, 95, 99)
# Characters and levels of an answer that the record keeps (of a larger one its hash); characters that the card shows.
LONGEST, DEEPEST, SHOWN = 1000, 16, 80
MOST = 20  # payloads that are named one by one
ANSWER, HASH = "answer", "sha256"


# -- what the record keeps of a stage's answers -----------------------------------------------------


def kept(golden: Golden, checked: Sequence[Checked]) -> dict[str, Any]:
    """By payload the request's hash and the answer of the first endpoint that runs on what was deployed."""
    served = [one for one in checked if one.served.as_deployed]
    payloads = {}
    for payload in golden.payloads:
        heard = [storable(one.answers[payload.name]) for one in served if payload.name in one.answers]
        payloads[payload.name] = {"request": request(payload), **(heard[0] if heard else {})}
    return {"payloads": payloads, **figures(golden, served)}


def figures(golden: Golden, served: Iterable[Checked]) -> dict[str, Any]:
    """Requests without an answer, and how many milliseconds answers took: by percentile, {} where none was measured."""
    took: list[float] = []
    errors = 0
    for one in served:
        took += one.milliseconds
        errors += sum(payload.name not in one.answers for payload in golden.payloads)
    percentiles = {str(number): round(percentile(took, number), 1) for number in PERCENTILES} if took else {}
    return {"errors": errors, "measured": len(took), "latency_ms": percentiles}


def percentile(values: Sequence[float], number: float) -> float:
    """The smallest of the values that so many percent of them do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(number / 100 * len(values)) - 1]


def request(payload: Payload) -> str:
    """Tells one request from an edited one of the same name; the expected answer and the tolerances do not count."""
    said = json.dumps([payload.content_type, payload.accept, payload.body])
    return hashlib.sha256(said.encode()).hexdigest()


def storable(answer: Any) -> dict[str, Any]:
    """An answer as the record keeps it: itself, or the hash of a large one; {} for what JSON has no word for (NaN)."""
    try:
        text = json.dumps(answer, sort_keys=True, allow_nan=False)
    except (ValueError, RecursionError):
        return {}
    if len(text) <= LONGEST and all(depth <= DEEPEST for _, _, depth in parts(answer)):
        return {ANSWER: answer}
    return {HASH: hashlib.sha256(text.encode()).hexdigest()}


def of_live(last: Mapping[str, Any] | None, arn: str) -> dict[str, Any]:
    """What Build hands on: the answers of the version that is live, or why there are none.

    last: the newest record of production's tests; arn: of the version that its stack names, "" for none
    """
    if not arn:
        return {"why": "production serves no version yet"}
    version = arn.rpartition("/")[2]
    if not last or last.get("arn") != arn or "answers" not in last:
        return {"why": f"the tests of production have recorded no answers of version {version}, which is live"}
    return {"version": version, "execution": last["execution"], "at": last["at"], **last["answers"]}


# -- the comparison ---------------------------------------------------------------------------------


def compare(golden: Golden, live: Mapping[str, Any], checked: Sequence[Checked]) -> dict[str, Any]:
    """What the card says of both. live: of of_live()"""
    if "why" in live:
        return {"why": live["why"]}
    agree, differ = 0, []
    left: dict[str, list[str]] = {"new": [], "edited": [], "unanswered": []}
    served = [one for one in checked if one.served.as_deployed]
    for payload in golden.payloads:
        was = live["payloads"].get(payload.name)
        if was is None or was["request"] != request(payload):
            left["new" if was is None else "edited"].append(payload.name)
        elif ANSWER not in was and HASH not in was:
            left["unanswered"].append(payload.name)
        elif other := next((text for one in served if (text := differs(payload, was, one.answers))), None):
            differ.append({"name": payload.name, "live": text_of(was), "new": other})
        else:
            agree += 1
    return {
        "live": {key: live[key] for key in ("version", "execution", "at", "errors", "measured", "latency_ms")},
        "new": figures(golden, served),
        "compared": agree + len(differ),
        "agree": agree,
        "differ": differ[:MOST],
        "left": {why: names[:MOST] for why, names in left.items()},
        "left_out": sum(map(len, left.values())),
    }


def differs(payload: Payload, was: Mapping[str, Any], answers: Mapping[str, Any]) -> str:
    """The candidate's answer where it is another one than the live version's; "" where both agree."""
    if payload.name not in answers:
        return "no answer"
    new = storable(answers[payload.name])
    if ANSWER in was and ANSWER in new:
        try:
            other = bool(difference(was[ANSWER], new[ANSWER], payload.tolerance, payload.relative_tolerance))
        except ArithmeticError:  # a number of 400 digits beside one with a point
            other = True
    else:
        other = was != {**new, "request": was["request"]}
    return text_of(new) if other else ""


def text_of(stored: Mapping[str, Any]) -> str:
    """An answer as the card shows it."""
    if ANSWER in stored:
        return shorten(json.dumps(stored[ANSWER]), SHOWN)
    return f"a large answer ({stored[HASH][:12]})" if HASH in stored else "no JSON"


def refusal(found: Mapping[str, Any], gates: Mapping[str, Any]) -> str:
    """Why the gate on agreement does not let the version through; "" where it does.

    gates: of the manifest. A gate that compares nothing although there are live answers refuses every version: else an
    edit of every payload would pass it.
    """
    least = gates.get("agreement")
    if least is None or gates.get("excuse") or "why" in found:
        return ""
    compared, agree = found["compared"], found["agree"]
    if compared and agree / compared >= least:
        return ""
    names = ", ".join(one_word(shorten(one["name"], SHOWN)) for one in found["differ"][:3])
    return (
        f"{agreement(found)}{f' (not on {names})' if names else ''}, and at least {least:g} of those that can be "
        "compared is asked for. Register a better version; or let this one through with a reason, which the approver "
        'reads: "override" in gates of prod-config.json'
    )


def agreement(found: Mapping[str, Any]) -> str:
    """How many answers are those of the live version, in words."""
    if not found["compared"]:
        return f"no golden payload is one that the live version {found['live']['version']} has answered"
    of = counted(found["compared"], "golden payload")
    return f"the answers are those of the live version {found['live']['version']} on {found['agree']:,} of {of}"
