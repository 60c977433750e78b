"""What an acceptance is about to do and what that costs: shown before anything is sent that makes something."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from awslang.bounded import read_file
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import counted
from scripts.kit.stages import Stage
from scripts.rehearsal.chapters import OF_A_PROJECT
from scripts.rehearsal.titles import TITLES

HOURS = 2.0  # that the endpoints of two stages stand: four deployments, as long as they may take
BUILDS, BUILD_MINUTES = 22, 5  # of the chapters with two stages; as long as one may take
MORE_HOURS, MORE_BUILDS = 1.0, 4  # of each stage between them: four deployments of it, each tested by one build
BUILD_PRICE = 0.005  # US dollars a minute of general1.small (AWS CodeBuild pricing)
TRAINING = 0.05  # US dollars: one ml.m5.large for a quarter of an hour, at most
LISTED = "us-east-1"  # the Region whose prices are in the table at any rate
LARGEST = 1_000_000  # bytes of the files that are read here


@dataclass(frozen=True)
class Plan:
    """accounts: by stage, where endpoints will stand; regions: of each stage; profiles: by person, "" for none given"""

    project: str
    accounts: Mapping[Stage, Sequence[str]]
    regions: Mapping[Stage, Sequence[str]]
    profiles: Mapping[str, str]

    @property
    def endpoints(self) -> dict[Stage, int]:
        return {stage: len(self.accounts[stage]) * len(self.regions[stage]) for stage in self.accounts}

    @property
    def unknown(self) -> list[str]:
        """The Regions whose prices are not in the table: those of us-east-1 stand for them."""
        return sorted({region for listed in self.regions.values() for region in listed} - prices().keys())

    @property
    def cost(self) -> float:
        """In US dollars, at most."""
        further = len(self.accounts) - 2
        hours, builds = HOURS + MORE_HOURS * further, BUILDS + MORE_BUILDS * further
        hourly = sum(
            len(self.accounts[stage]) * price(stage, region)
            for stage in self.accounts
            for region in self.regions[stage]
        )
        return round(hours * hourly + builds * BUILD_MINUTES * BUILD_PRICE + TRAINING, 2)

    @property
    def unproven(self) -> list[str]:
        """What the profiles that were not given leave open."""
        found = []
        if not self.profiles["data scientist"]:
            found.append(
                "project, training, model-approval, second-version, push, rejection: without --scientist-profile the "
                "ML engineer plays the data scientist, so that a data scientist's rights suffice is not proven"
            )
        if not self.profiles["approver"]:
            found.append(
                "deployment-approval, second-version, push: without --approver-profile the ML engineer plays the "
                "approver, so that an approver's rights suffice is not proven"
            )
        return found

    def lines(self) -> list[str]:
        found = [f"acceptance with the project {self.project}:"]
        found += [f"  {number:>2}  {name:<20} {TITLES[name]}" for number, name in enumerate(OF_A_PROJECT, 1)]
        for stage, number in self.endpoints.items():
            accounts, regions = ", ".join(self.accounts[stage]), ", ".join(self.regions[stage])
            found.append(
                f"  {counted(number, 'endpoint')} of {stage.value} ({instance(stage)}): {accounts} in {regions}"
            )
        found += [f"  not proven: {line}" for line in self.unproven]
        found += [
            f"  the prices of {region} are not known: those of {LISTED} stand for them" for region in self.unknown
        ]
        return [*found, f"  at most about ${self.cost:.2f}; all of it is removed at the end"]

    def as_data(self) -> dict[str, Any]:
        return {
            "project": self.project,
            "chapters": list(OF_A_PROJECT),
            "endpoints": {stage.value: number for stage, number in self.endpoints.items()},
            "accounts": {stage.value: list(accounts) for stage, accounts in self.accounts.items()},
            "not_proven": self.unproven,
            "cost_usd": self.cost,
        }


def instance(stage: Stage) -> str:
    """The instance type with which a new project begins."""
    named = Stage.STAGING if stage.between else stage  # such a stage is set as staging is
    config = json.loads(read_file(ROOT / f"seed-code/model-deploy/{named.value}-config.json", LARGEST))
    return str(config["Parameters"]["InstanceType"])


def prices() -> dict[str, dict[str, float]]:
    """Of an hour of each instance type, by Region."""
    found: dict[str, dict[str, float]] = json.loads(read_file(ROOT / "pipeline/prices.json", LARGEST))["regions"]
    return found


def price(stage: Stage, region: str) -> float:
    """Of an hour of the stage's instance, in US dollars."""
    table = prices()
    return table.get(region, table[LISTED])[instance(stage)]
