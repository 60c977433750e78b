"""Metric gates: which metrics a version must state, and how good each must be, before it is deployed to staging. Pure.

prod-config.json, "gates":
    metrics: by name of the metric, as the versions state it:
        goal: "minimize" or "maximize": which direction is better
        bound: the worst value that passes (optional)
        worse_by: how much worse than the live version's it may be, in the metric's own unit (optional)
    agreement: on which share of the golden payloads the answers in staging must be the live version's (comparison.py)
    override: {"version": 7, "reason": "..."}: lets one version through that they refuse; the card shows the reason

A version that the gate before production has let through before, as it is, is not judged again: a push of settings does
not wait for a bound that is newer than the version. What comes back after a rejection is judged and comes back: an
approver who is asked reads what it does not pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.console import UserError, hidden, one_line
from pipeline.documents import VERSION, Rule, is_real, is_text, missing, named, problem, shown, unknown

FILE, KEY = "prod-config.json", "gates"
MOST = 50  # metrics
EXAMPLE = '{"validation:merror": {"goal": "minimize", "bound": 0.1}}'
LARGEST = 1e300
IN_PRODUCTION = "it was in production before"
MINIMIZE, MAXIMIZE = "minimize", "maximize"
NUMBER = Rule(lambda value: is_real(value, -LARGEST, LARGEST), "a number", "0.1")
OF_METRIC = {
    "goal": Rule(lambda value: value in (MINIMIZE, MAXIMIZE), f"{MINIMIZE} or {MAXIMIZE}", f'"{MINIMIZE}"'),
    "bound": NUMBER,
    "worse_by": Rule(lambda value: is_real(value, 0, LARGEST), "a number from 0", "0.02"),
}
SHARE = Rule(lambda value: is_real(value, 0, 1), "a share from 0 to 1", "0.95")
OF_OVERRIDE = {
    "version": VERSION,
    "reason": Rule(lambda value: is_seen(value, 300), "text of 1 to 300 characters on one line", '"Agreed in review"'),
}


def is_seen(value: Any, most: int) -> bool:
    """Whether a value is text on one line without a character that cannot be seen."""
    return is_text(value, most) and not any(map(hidden, value))


def plain(value: float) -> str:
    """A number with the digits that tell it from its neighbours."""
    return f"{value:.12g}"


@dataclass(frozen=True)
class MetricGate:
    """One metric's gate. bound, worse_by: None for none"""

    name: str
    goal: str
    bound: float | None = None
    worse_by: float | None = None

    def worse(self, new: float, than: float) -> bool:
        return new > than if self.goal == MINIMIZE else new < than

    def allowed(self, live: float) -> float:
        """The worst value that passes beside the live version's."""
        return live + (self.worse_by or 0) * (1 if self.goal == MINIMIZE else -1)

    def problem(self, new: float | None, live: float | None) -> str:
        """Why a version does not pass; "" where it does. new, live: its value and the live version's, None for none"""
        if new is None:
            return f"the version does not state {self.name}" if self.judges else ""
        limit = "at most" if self.goal == MINIMIZE else "at least"
        found = []
        if self.bound is not None and self.worse(new, self.bound):
            found.append(f"{limit} {plain(self.bound)} is asked for")
        if self.worse_by is not None and live is not None and self.worse(new, self.allowed(live)):
            found.append(f"{limit} {plain(self.allowed(live))} beside the live version's {plain(live)}")
        return f"{self.name} is {plain(new)}, and {' and '.join(found)}" if found else ""

    @property
    def judges(self) -> bool:
        """Whether it refuses anything; a goal alone says which direction is better on the card."""
        return self.bound is not None or self.worse_by is not None


@dataclass(frozen=True)
class Gates:
    """What prod-config.json asks for.

    agreement: the least share of equal answers, None for none
    override: the number of the version that passes whatever it states, and why
    """

    metrics: tuple[MetricGate, ...] = ()
    agreement: float | None = None
    override: tuple[int, str] | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)  # as the file has them


def read(config: Mapping[str, Any]) -> Gates:
    """The gates of a configuration file that problems_of() has nothing against."""
    given = config.get(KEY, {})
    override, rules = given.get("override"), given.get("metrics", {})
    gates = (MetricGate(name, one["goal"], one.get("bound"), one.get("worse_by")) for name, one in rules.items())
    lets_through = (override["version"], override["reason"]) if override else None
    return Gates(tuple(gates), given.get("agreement"), lets_through, rules)


def problems_of(file: str, config: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the gates of a configuration file, each with its place."""
    if KEY not in config:
        return
    given = config[KEY]
    if file != FILE:
        yield (
            f"{file}: {KEY} is {shown(given)}: a version passes its gates before staging. Take it out, and write one "
            f'"{KEY}" into {FILE}, such as {{"metrics": {{}}}}'
        )
    elif not isinstance(given, dict):
        yield f'{file}: {KEY} is {shown(given)}: write an object, such as {{"metrics": {{}}}}'
    else:
        yield from unknown(f"{file}: {KEY}.", given, ("metrics", "agreement", "override"))
        yield from of_metrics(f"{file}: {KEY}.metrics", given.get("metrics", {}))
        if "agreement" in given and (wrong := problem(f"{file}: {KEY}.agreement", given["agreement"], SHARE)):
            yield wrong
        if "override" in given:
            yield from of_object(f"{file}: {KEY}.override", given["override"], OF_OVERRIDE, OF_OVERRIDE)


def of_metrics(place: str, given: Any) -> Iterator[str]:
    if not isinstance(given, dict):
        yield f"{place} is {shown(given)}: write an object with the names of metrics, such as {EXAMPLE}"
        return
    if len(given) > MOST:
        yield f"{place} is an object with {len(given):,} metrics: write at most {MOST}, such as {EXAMPLE} alone"
    for name, one in given.items():
        if not is_seen(name, 128):  # the key of a version's metadata (SageMaker API Reference, CreateModelPackage)
            yield (
                f"{place}.{named(name)} is {shown(one)}: write the name of a metric, of 1 to 128 characters on one "
                f"line, such as {EXAMPLE}"
            )
        yield from of_object(f"{place}.{named(name)}", one, OF_METRIC, {"goal": OF_METRIC["goal"]})


def of_object(place: str, given: Any, rules: Mapping[str, Rule], needed: Mapping[str, Rule]) -> Iterator[str]:
    if not isinstance(given, dict):
        example = ", ".join(f'"{key}": {rule.example}' for key, rule in needed.items())
        yield f"{place} is {shown(given)}: write an object with {', '.join(needed)}, such as {{{example}}}"
        return
    yield from missing(f"{place}.", given, needed)
    yield from unknown(f"{place}.", given, rules)
    found = (problem(f"{place}.{key}", given[key], rule) for key, rule in rules.items() if key in given)
    yield from filter(None, found)


# -- the judgement -----------------------------------------------------------------------------


def judge(
    gates: Gates,
    number: int,
    new: Mapping[str, float],
    live: Mapping[str, float],
    live_number: str,
    judged: bool,
    back: str,
) -> dict[str, Any]:
    """What the gates say of a version, as the manifest keeps it; UserError where they refuse it.

    Args:
        number: the version's. new, live: its metrics and those of the version that production serves.
        live_number: the number of that version, "" for none.
        judged: False for a version that the gate before production has let through before.
        back: why the version comes back, "" where it does not: then it is not refused.
    """
    problems = [why for gate in gates.metrics if (why := gate.problem(new.get(gate.name), live.get(gate.name)))]
    overridden = gates.override is not None and gates.override[0] == number
    if problems and judged and not overridden and not back:
        raise UserError(
            f"version {number} does not pass the metric gates of {FILE}"
            f"{f' (version {live_number} is live)' if live_number else ''}: {'; '.join(map(one_line, problems))}. "
            "Register a better version; or let this one through with a reason, which the approver reads: "
            f'"override": {{"version": {number}, "reason": "…"}} in {KEY}'
        )
    said = gates.override[1] if overridden and gates.override else back
    found = {"rules": dict(gates.rules), "judged": judged, "override": said if problems and judged else ""}
    if gates.agreement is None:
        return found
    return {**found, "agreement": gates.agreement, "excuse": said or ("" if judged else IN_PRODUCTION)}
