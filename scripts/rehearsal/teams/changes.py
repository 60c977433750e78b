"""What a team's change would change: each stage's settings, Regions and monthly cost, payloads, tests, training."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from pipeline import combinations, metric_gates, removal, settings
from pipeline.card import costs
from pipeline.documents import differences, read_document
from pipeline.page import money
from pipeline.payloads import GOLDEN
from pipeline.prices import Prices
from scripts.kit.bundle.pack import ROOT, STAGE
from scripts.kit.console import near
from scripts.rehearsal.teams.repositories import (
    DEPLOY,
    SEED,
    TRAINING,
    Repositories,
    files_of,
    read_deploy,
    read_toml,
)

MODES = {"added": "new", "removed": "gone", "changed": "changed"}
LONGEST, MOST_LINES = 200, 25  # characters of a value in the page; lines of what failed, of a table, names in a list
SCHEMA = "settings.schema.json"  # packing adds it to the seed code


class TablePrices(Prices):
    """The prices of the pipeline's table: nothing is asked of AWS."""

    def __init__(self) -> None:
        super().__init__(self.unasked, "us-east-1")

    def listed(self, region: str, instance: str) -> float | None:
        return None

    def unasked(self, *asked: object) -> NoReturn:
        raise AssertionError(f"the table answers without {asked}")


def compare(repositories: Repositories, region: str, regions: tuple[str, ...]) -> dict[str, Any]:
    """What differs between the repositories and those that they are compared with."""
    found: dict[str, Any] = {}
    if folder := repositories.folders.get(DEPLOY):
        base = repositories.base[DEPLOY]
        before, _ = read_deploy(base, region, regions, judged=False)
        old, new = files_of(base), files_of(folder)
        prices = TablePrices()
        found["deploy"] = {
            "base": said(DEPLOY, base),
            "stages": {name: stage_changes(before[name], stage, prices) for name, stage in repositories.stages.items()},
            "prices": prices.sources(),
            "payloads": differences(payloads_of(base), payloads_of(folder)),
            "files": differences(*(without(files, "-config.json", GOLDEN.name, SCHEMA) for files in (old, new))),
        }
    if folder := repositories.folders.get(TRAINING):
        base = repositories.base[TRAINING]
        found["training"] = {
            "base": said(TRAINING, base),
            "settings": setting_changes(flat_toml(base), flat_toml(folder)),
            "files": differences(*(without(files_of(one), "project.toml") for one in (base, folder))),
        }
    return found


def said(option: str, base: Path) -> str:
    return "the seed code" if base == SEED[option] else near(base)


def without(files: Mapping[str, bytes], *ends: str) -> dict[str, bytes]:
    """The files whose content is compared elsewhere, left out."""
    return {path: content for path, content in files.items() if not path.endswith(ends)}


def stage_changes(before: settings.Stage, after: settings.Stage, prices: Prices) -> dict[str, Any]:
    """One stage. The cost is that of one account, since no repository says how many a stage has."""
    known = {
        name: one
        for name, one in settings.template_parameters(ROOT / STAGE).items()
        if name not in settings.WRITTEN_HERE
    }
    old, new = (
        {**combinations.effective(stage.parameters, known), **gates_of(stage), **removal_of(stage)}
        for stage in (before, after)
    )
    places = [{("each", region) for region in stage.regions} for stage in (before, after)]
    return {
        "settings": setting_changes(old, new),
        "regions": {"before": list(before.regions), "after": list(after.regions)},
        "cost": costs(old, places[0], new, places[1], prices),
    }


def gates_of(stage: settings.Stage) -> dict[str, str]:
    """The metric gates of a stage by their dotted names, as text."""
    given = stage.config.get(metric_gates.KEY)
    return {name: str(value) for name, value in flat(given, f"{metric_gates.KEY}.")} if isinstance(given, dict) else {}


def removal_of(stage: settings.Stage) -> dict[str, str]:
    return {removal.KEY: "true"} if removal.asked(stage.config) else {}


def setting_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "old": old.get(name), "new": new.get(name)}
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


def payloads_of(folder: Path) -> dict[str, Any]:
    """The golden payloads by name, and what holds for the whole file; {} where a base has none that can be read."""
    try:
        document = read_document(folder / GOLDEN)
        whole = {f"({key})": value for key, value in document.items() if key != "payloads"}
        return {**whole, **{item["name"]: item for item in document["payloads"]}}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def flat_toml(folder: Path) -> dict[str, Any]:
    """The values of the model that project.toml chooses, by their dotted names; {} where a base has none to read."""
    try:
        whole = read_toml(folder)
        return {"model": whole["model"], **dict(flat(whole[whole["model"]]))}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


# -- the page ------------------------------------------------------------------------------------


def page(found: Mapping[str, Any], outcome: str, seconds: float, failure: str = "") -> str:
    """changes.md, as a comment of a pull request takes it."""
    lines = [
        "# What this change does",
        "",
        f"The rehearsal **{outcome}** after {seconds:.0f} s on this machine's embedded AWS.",
    ]
    if failure:
        lines += ["", "```text", *excerpt(failure), "```"]
    if deploy := found.get("deploy"):
        lines += ["", f"## Deployment, compared with {code(deploy['base'])}", *stage_table(deploy["stages"])]
        lines += ["", *cost_table(deploy["stages"]), "", f"For one account of each stage. {deploy['prices']}"]
        lines += [*listing("Golden payloads", deploy["payloads"]), *listing("Other files", deploy["files"])]
    if training := found.get("training"):
        lines += ["", f"## Training, compared with {code(training['base'])}"]
        rows = [(one["name"], one["old"], one["new"]) for one in training["settings"]]
        lines += table(("project.toml", "now", "then"), rows) if rows else ["", "`project.toml` stays as it is."]
        lines += listing("Other files", training["files"])
    return "\n".join(lines) + "\n"


def excerpt(failure: str) -> list[str]:
    """What failed, without the frame of the builds' logs, and with nothing that ends the block of code."""
    lines = [plain(line) for line in failure.splitlines()]
    return [line for line in lines if line and not line.startswith("[Container]")][:MOST_LINES]


def stage_table(stages: Mapping[str, Any]) -> list[str]:
    rows = [(name, one["name"], one["old"], one["new"]) for name, stage in stages.items() for one in stage["settings"]]
    for name, stage in stages.items():
        before, after = (", ".join(stage["regions"][when]) for when in ("before", "after"))
        if before != after:
            rows.append((settings.STAGES[name].lower(), "Regions", before, after))
    return table(("stage", "setting", "now", "then"), rows) if rows else ["", "No setting changes."]


def cost_table(stages: Mapping[str, Any]) -> list[str]:
    lines = ["| stage | a month now | a month then | not known |", "|---|---|---|---|"]
    for name, stage in stages.items():
        cost = stage["cost"]
        unknown = "; ".join(code(text) for text in cost["unknown"])
        stage_name = settings.STAGES[name].lower()
        lines.append(f"| {stage_name} | {money(cost['before'])} | {money(cost['after'])} | {unknown} |")
    return lines


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    lines = ["", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += [f"| {' | '.join(cell(value) for value in row)} |" for row in rows[:MOST_LINES]]
    return lines + (["", f"And {len(rows) - MOST_LINES:,} more."] if len(rows) > MOST_LINES else [])


def listing(title: str, found: Mapping[str, list[str]]) -> list[str]:
    """What was added, removed and changed, in a line; none where nothing was."""
    parts = [f"{MODES[kind]}: {named(names)}" for kind, names in found.items() if names]
    return ["", f"{title}: {'; '.join(parts)}."] if parts else []


def named(names: list[str]) -> str:
    more = len(names) - MOST_LINES
    return ", ".join(code(name) for name in names[:MOST_LINES]) + (f" and {more:,} more" if more > 0 else "")


def cell(value: Any) -> str:
    """A value: no setting is (none), an empty text is (empty)."""
    if value in (None, ""):
        return "(none)" if value is None else "(empty)"
    return code(value if isinstance(value, str) else json.dumps(value, default=str))


def code(text: str) -> str:
    """A text of the repository as code: no markup of it, and no mention of a person, takes effect in a comment."""
    return f"`{plain(text)}`"


def plain(text: str) -> str:
    line = re.sub(r"[`|\x00-\x1f]+", " ", text).strip()
    return f"{line[:LONGEST]}{'…' if len(line) > LONGEST else ''}"
