"""docs/explanation/cost.md: what the kit costs, computed from the templates, cost.yaml and pipeline/prices.json.

python -m tests.support.cost --write        writes the figures between the page's two markers again
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from awslang.template import template
from pipeline.prices import HOURS
from scripts.kit.teardown.retained import MOST_ROTATIONS
from tests.judges import kit
from tests.support import ROOT
from tests.support.cost_prices import hourly, money, price, table

PAGE = ROOT / "docs/explanation/cost.md"
BEGIN, END = "<!-- computed: begin -->\n", "<!-- computed: end -->\n"
GB = 1024**3
SEEDED = ROOT / "seed-code/model-deploy"
WHERE = {  # every template but the endpoint's, and what it is deployed for
    kit.TEN: "installation, each Region of endpoints",
    kit.ELEVEN: "installation",
    kit.TWELVE: "installation",
    kit.THIRTEEN: "installation",
    kit.FIFTEEN: "installation",
    kit.NINE: "installation, where Studio is missing",
    kit.FOURTEEN: "installation, where Studio is missing",
    kit.TWENTY: "each target account",
    kit.TWENTY_ONE: "accounts without an organization",
    kit.SIXTY: "continuous integration",
    kit.THIRTY: "project",
    kit.FORTY: "project, each stage",
}
PLAIN = {
    "MaximumInstanceCount": "0", "VolumeKmsKeyId": "", "DataCaptureS3Uri": "", "MonitorHours": "0",
    "MonitorQualityHours": "0", "MonitorQualityBaseline": "b", "Dashboard": "false",
}  # fmt: skip
WATCHED = {"DataCaptureS3Uri": "account", "MonitorHours": "24", "MonitorBaseline": "b", "Dashboard": "true"}
MEASURED = {"MonitorQualityHours": "24", "MonitorQualityMetric": "rmse", "MonitorQualityBound": "2.5"}
REQUESTS, SECONDS = 1_000_000, 0.1  # of a serverless endpoint; its cost is in proportion


# -- what idles --------------------------------------------------------------------------------


def idle(resource: kit.Resource) -> tuple[str, float]:
    """The price by which a resource is charged while it exists, and how many times. Instances: see Endpoint."""
    row = table()["types"][resource.type]
    if row.get("idle", "instances") == "instances":
        return "", 0
    if "of" in row and resource.properties["PolicyType"] != row["of"]:
        return "", 0
    metrics = [one for one in resource.properties.get("Metrics", []) if "MetricStat" in one]  # each is charged
    return row["idle"], row.get("times", len(metrics) or 1)


def charged(resources: Iterable[kit.Resource]) -> Counter[str]:
    found: Counter[str] = Counter()
    for resource in resources:
        name, times = idle(resource)
        found[name] += int(times)
    return +Counter({name: times for name, times in found.items() if name})


def monthly(counts: Mapping[str, int]) -> float:
    return sum(price(name) * times for name, times in counts.items())


def made(file: str, **given: str) -> list[kit.Resource]:
    return list(kit.Kit().resources(kit.Place(file, given=tuple(given.items()))).values())


def stored(whose: str) -> float:
    """What its bytes cost in a month."""
    return sum((price(name) * int(size) / GB for name, size in table()["stored"][whose].items()), 0.0)


def templates() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted((ROOT / "templates").glob("*.yaml"))]


def types(texts: Iterable[str]) -> set[str]:
    """Every type that the templates may make, whatever their conditions."""
    return {str(one["Type"]) for text in texts for one in template.parse(text).resources.values()}


# -- endpoints ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Endpoint:
    """One in one account and Region, at rest."""

    name: str
    instances: int
    instance: str
    alarms: int
    dashboards: int = 0

    @property
    def month(self) -> float:
        running = self.instances * hourly(self.instance) * HOURS if self.instances else 0
        return running + self.alarms * price("alarm") + self.dashboards * price("dashboard")


def endpoint(name: str, **given: str) -> Endpoint:
    found = made(kit.FIFTY, **{**PLAIN, **given})
    by_type = {resource.type: resource.properties for resource in found}
    variants = by_type.get("AWS::SageMaker::EndpointConfig", {}).get(
        "ProductionVariants", [{}]
    )  # a batch stage has none
    variant = variants[0]
    least = by_type.get("AWS::ApplicationAutoScaling::ScalableTarget", {}).get("MinCapacity")
    count = int(variant.get("InitialInstanceCount", 0) if least is None else least)
    idling = charged(found)
    return Endpoint(name, count, variant.get("InstanceType", ""), idling["alarm"], idling["dashboard"])


def seeded(stage: str) -> dict[str, str]:
    settings: dict[str, str] = json.loads((SEEDED / f"{stage}-config.json").read_text(encoding="utf-8"))["Parameters"]
    return settings


def endpoints() -> list[Endpoint]:
    answers = {"EndpointKind": "asynchronous", "AsyncOutputS3Uri": "account"}
    return [
        endpoint("staging, as the seed code has it", **seeded("staging")),
        endpoint("production, as the seed code has it", **seeded("prod")),
        endpoint("real-time, scaled between one and two instances", MaximumInstanceCount="2"),
        endpoint("real-time, with a monitor and a dashboard", **WATCHED),
        endpoint("real-time, with both monitors and a dashboard", **WATCHED, **MEASURED),
        endpoint("asynchronous, one instance at all hours", **answers),
        endpoint("asynchronous, scaled down to none", MaximumInstanceCount="2", **answers),
        endpoint("serverless, 2 GB", EndpointKind="serverless"),
        endpoint("batch, while no job runs", EndpointKind="batch", BatchBucket="account"),
    ]


# -- a deployment ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deployment:
    """Its steps: each is what waits for the one before, as kinds of actions (Source, CloudFormation, EC2, Lambda)."""

    name: str
    steps: tuple[tuple[str, ...], ...]
    transitions: int = 0
    version: str = "V2"

    @property
    def actions(self) -> list[str]:
        return [kind for step in self.steps for kind in step]

    @property
    def minutes(self) -> int:
        """From the start to the end, without the time that the approver takes."""
        return sum(max(table()["minutes"][kind] for kind in step) for step in self.steps)

    @property
    def action_minutes(self) -> int:
        return sum(math.ceil(table()["minutes"][kind]) for kind in self.actions)

    @property
    def dollars(self) -> float:
        """Of one, without what a V1 pipeline costs by the month. Builds on Lambda have no price that is known."""
        builds = self.actions.count("EC2") * int(table()["minutes"]["EC2"]) * price("ec2-build")
        run = self.action_minutes * price("action-minute") if self.version == "V2" else 0
        return builds + run + self.transitions * price("transition")

    def month(self, times: int) -> float:
        return times * self.dollars + (price("active-pipeline") if self.version == "V1" else 0)


def transitions() -> int:
    """The states that an approval passes on its way to the pipeline."""
    machine = next(r for r in made(kit.ELEVEN) if r.type == "AWS::StepFunctions::StateMachine").properties["Definition"]
    name, count = machine["StartAt"], 1
    while not (state := machine["States"][name]).get("End"):
        name, count = state["Default"] if state["Type"] == "Choice" else state["Next"], count + 1
    return count


def deployment(name: str, compute: str, removes: bool = False, **given: str) -> Deployment:
    """As 30-project.yaml has it, without a shadow. Actions of one stage with the same RunOrder run side by side.

    removes: whether staging is removed after production, which is skipped otherwise
    """
    resources = made(kit.THIRTY, BuildCompute=compute, ShadowMinutes="0", **given)
    runs = {
        resource.properties["Name"]: "Lambda" if "LAMBDA" in resource.properties["Environment"]["Type"] else "EC2"
        for resource in resources
        if resource.type == "AWS::CodeBuild::Project"
    }
    steps: list[tuple[str, ...]] = []
    pipeline = next(r for r in resources if r.name == "Pipeline")
    for stage in pipeline.properties["Stages"]:
        if stage["Name"] == "RemoveStaging" and not removes:
            continue
        orders: dict[int, list[str]] = {}
        for action in stage["Actions"]:
            category, provider = action["ActionTypeId"]["Category"], action["ActionTypeId"]["Provider"]
            if category == "Approval":
                continue
            kind = runs[action["Configuration"]["ProjectName"]] if provider == "CodeBuild" else provider
            orders.setdefault(int(action.get("RunOrder", 1)), []).append("Source" if category == "Source" else kind)
        steps += [tuple(orders[order]) for order in sorted(orders)]
    return Deployment(name, tuple(steps), transitions())


def deployments() -> list[Deployment]:
    post = tuple((kind,) for stage in table()["post"] for kind in stage)
    return [
        Deployment("the post", post, version="V1"),
        deployment("the kit, short builds on Lambda", "lambda"),
        deployment("the kit, `builds: {compute: ec2}`", "ec2"),
    ]


def second_fleet() -> tuple[int, float]:
    """The seconds for which an update keeps the former fleet at least, and what that costs in both stages as seeded."""
    parsed = template.parse((ROOT / kit.FIFTY).read_text(encoding="utf-8"))
    seconds = int(parsed.parameters["BakeSeconds"]["Default"])
    return seconds, sum(one.instances * hourly(one.instance) * seconds / 3600 for one in endpoints()[:2])


def removed() -> float:
    """What staging as the seed code has it costs in a month in which each deployment removes it."""
    lambdas = [deployment("", "lambda", removes) for removes in (True, False)]
    more = lambdas[0].dollars - lambdas[1].dollars
    return float(table()["deployments"]) * (endpoints()[0].month * float(table()["staged"]) / HOURS + more)


# -- the page ----------------------------------------------------------------------------------


def rows(head: str, lines: Iterable[Iterable[object]], numbers: int = 0) -> str:
    columns = head.count("|") - 1
    rule = "|".join(["---"] * (columns - numbers) + ["---:"] * numbers)
    return f"{head}\n|{rule}|\n" + "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def months() -> Iterator[str]:
    every = {file: charged(made(file)) for file in WHERE}
    installation = stored("installation") + sum(
        monthly(every[file]) for file, where in WHERE.items() if where.startswith("installation")
    )
    rotations = MOST_ROTATIONS * every[kit.TEN]["key"] * price("key")
    project = monthly(every[kit.THIRTY]) + 2 * monthly(every[kit.FORTY]) + stored("project")
    staging, prod, *_ = found = endpoints()
    between, alone = staging.month + monthly(every[kit.FORTY]), installation + project + prod.month
    both = alone + staging.month
    yield "## In a month\n\n" + rows(
        "| what exists | a month |",
        [
            ("an idle installation in one Region", money(installation)),
            ("the same, after its key has rotated twice (once a year)", money(installation + rotations)),
            ("each target account, idle", money(monthly(every[kit.TWENTY]) + monthly(every[kit.TWENTY_ONE]))),
            ("each further Region of endpoints", money(monthly(every[kit.TEN]))),
            ("each project, idle and without endpoints", money(project)),
            ("each stage between staging and production, one endpoint, set as staging is", money(between)),
            ("one installation, one project, one endpoint in each stage, as the seed code has them", money(both)),
            ("the same without staging (`production_alone`)", money(alone)),
        ],
        1,
    )
    yield "An endpoint in one account and Region, without requests:\n\n" + rows(
        "| endpoint | instances | alarms | a month |",
        [
            (one.name, f"{one.instances} {one.instance}" if one.instances else "none", one.alarms, money(one.month))
            for one in found
        ],
        2,
    )
    serving = REQUESTS * SECONDS * price("serverless-second")
    yield (
        f"The alarms are those of the template, and the two that each target tracking policy makes; the one on drift\n"
        f"counts ten times, for its ten metrics. A monitor's jobs come to it: {money(price('monitor') * 30 / 6)} for\n"
        f"ten minutes a day; one of model quality has two jobs.\n"
        f"{REQUESTS:,} requests of {SECONDS} seconds to the serverless endpoint cost {money(serving)} more, and "
        f"${price('serverless-data')} a GB of data.\n"
    )
    rest = {one.name: one.month for one in found}
    often, hours = table()["deployments"], table()["staged"]
    yield "A stage with one endpoint, if it is served otherwise than the seed code has it:\n\n" + rows(
        "| served | saved in staging | saved in production |",
        [
            *(
                (name, money(staging.month - rest[name]), money(prod.month - rest[name]))
                for name in ("serverless, 2 GB", "asynchronous, scaled down to none")
            ),
            (
                f"removed after production, {often} times a month after {hours} hours",
                money(staging.month - removed()),
                "–",
            ),
        ],
        2,
    )
    yield "What idles, by template, with everything of it switched on:\n\n" + rows(
        "| template | for | resources | charged while they exist | a month |",
        [
            (f"`{file.removeprefix('templates/')}`", where, len(made(file)),
             ", ".join(f"{count} {name}" for name, count in every[file].items()) or "none", money(monthly(every[file])))
            for file, where in WHERE.items()
        ],
        1,
    )  # fmt: skip


def one_deployment() -> str:
    found = deployments()
    times = table()["deployments"]
    seconds, fleets = second_fleet()
    most = (
        found[1].actions.count("Lambda") * 60 * table()["minutes"]["Lambda"] * table()["prices"]["lambda-build"]["most"]
    )
    assumed = ", ".join(f"{kind} {minutes}" for kind, minutes in table()["minutes"].items())
    lines: list[tuple[str, list[object]]] = [
        ("builds on EC2", [one.actions.count("EC2") for one in found]),
        ("builds on Lambda compute (no price found)", [one.actions.count("Lambda") for one in found]),
        ("starts of builds that wait for one another, EC2 and Lambda", [waits(one) for one in found]),
        ("minutes, without the approver's", [one.minutes for one in found]),
        (
            "minutes of actions that are charged",
            [one.action_minutes if one.version == "V2" else "none" for one in found],
        ),
        ("transitions of the state machine", [one.transitions for one in found]),
        ("one deployment, without builds on Lambda", [money(one.dollars) for one in found]),
        (
            f"{times} such in a month, with what the pipeline costs by the month",
            [money(one.month(times)) for one in found],
        ),
    ]
    return (
        f"## A deployment\n\nAWS documents no minutes. These are assumed: {assumed}.\n\n"
        + rows("| | " + " | ".join(one.name for one in found) + " |", ([name, *values] for name, values in lines), 3)
        + f"\nThe builds on Lambda compute cost {money(most)} more at the highest price that the lists say.\n"
        f"An update keeps the former fleet beside the new one for {seconds} seconds (`BakeSeconds`) or longer.\n"
        f"As the seed code has them, both stages together pay {money(fleets)} for it.\n{between()}"
    )


def between() -> str:
    more, rest = deployment("", "lambda", SageMakerExecutionRoleQaName="role-qa"), deployment("", "lambda")
    minutes, dollars = more.minutes - rest.minutes, money(more.dollars - rest.dollars)
    return f"Each stage between staging and production adds {minutes} minutes and {dollars}.\n"


def waits(one: Deployment) -> str:
    """How many starts of builds follow one another; beside one another they count once."""
    return " and ".join(str(sum(kind in step for step in one.steps)) for kind in ("EC2", "Lambda"))


def figure(dollars: float | None) -> str:
    return "not found" if dollars is None else f"{dollars:.6f}".rstrip("0").rstrip(".")


def lists() -> Iterator[str]:
    instances = json.loads((ROOT / "pipeline/prices.json").read_text(encoding="utf-8"))
    lines = [
        (name, figure(one["dollars"]), one["unit"], f"[{one.get('says', 'see there')}]({one['of']})")
        for name, one in table()["prices"].items()
    ]
    yield (
        f"## Prices\n\nIn US dollars, {table()['region']}, read on {table()['read']}.\n\n"
        + rows("| price | dollars | for each | from |", lines)
        + f"\nInstances are those of `pipeline/prices.json`, as of {instances['as_of']}, for {HOURS} hours a month.\n"
        '"page": AWS\'s page says it in its text, read from a stored copy. "quoted": the page\'s table is drawn in\n'
        "the browser, and the figure is that of public lists that quote it. What was not found is in no sum.\n"
    )
    yield "## Resource types\n\n" + rows(
        "| type | while it exists | where it is used |",
        [
            (f"`{type}`", row.get("idle", "nothing"), ", ".join(row.get("use", [])) or row.get("free", ""))
            for type, row in sorted(table()["types"].items())
        ],
    )


def computed() -> str:
    return "\n" + "\n".join([*months(), one_deployment(), *lists()]) + "\n"


def page(text: str) -> str:
    """The page's text with the figures of today between its markers."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + computed() + END + rest.split(END)[1]


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        raise SystemExit(__doc__)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
