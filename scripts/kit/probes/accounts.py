"""Probes of what an account shows, of alarms, and of its registry's replication."""

from __future__ import annotations

import json

from scripts.kit.connect import pages, whole_pages
from scripts.kit.probes.lab import Lab
from scripts.kit.probes.leftovers import replication_rules
from scripts.kit.probes.probe import Answers, Cost, Probe, Skipped


def managed_policies(lab: Lab) -> Answers:
    """Without a filter, as `make doctor` asks."""
    listed = whole_pages(lab.client("iam"), "get_account_authorization_details")
    policies = [policy for page in listed for policy in page["Policies"]]
    of_aws = [policy for policy in policies if ":aws:policy/" in policy["Arn"]]
    return {"policies of AWS that are attached nowhere": any(not one["AttachmentCount"] for one in of_aws)}


def price_attributes(lab: Lab) -> Answers:
    """As the evidence card asks (pipeline/prices.py). The price list is in few Regions."""
    wanted = {"regionCode": "us-east-1", "instanceName": "ml.m5.large", "component": "Hosting"}
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    pricing = lab.here.named_client("pricing", "us-east-1")
    asked = {"ServiceCode": "AmazonSageMaker", "Filters": filters}
    found = [json.loads(text) for text in pages(pricing, "get_products", "PriceList", **asked)]
    hourly = {
        dimension["pricePerUnit"]["USD"]
        for product in found
        for term in product["terms"].get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
        if dimension["unit"] == "Hrs"
    }
    lab.words["products"] = json.dumps([product["product"] for product in found])
    return {"products": len(found), "prices of an hour": len(hourly)}


def replication_rules_number(lab: Lab) -> Answers:
    """Rules that match no repository, in a registry that has none of its own."""
    if replication_rules(lab.here):
        raise Skipped("the registry has replication rules of its own, which a probe does not touch")
    answers, ecr = {}, lab.client("ecr")
    region = "us-west-2" if lab.here.region != "us-west-2" else "us-east-1"
    place = [{"region": region, "registryId": lab.here.account}]
    for count in (10, 11, 25, 26):
        rules = [
            {"destinations": place, "repositoryFilters": [{"filter": f"{lab.name}-{n}", "filterType": "PREFIX_MATCH"}]}
            for n in range(count)
        ]
        given = {"replicationConfiguration": {"rules": rules}}
        answers[f"{count} rules"] = lab.said(f"{count}", ecr.put_replication_configuration, **given)
    return answers


def young_breach(lab: Lab) -> Answers:
    """One data point that breaches, of an alarm that wants three of five and treats missing data as missing."""
    cloudwatch = lab.client("cloudwatch")
    metric = {"Namespace": lab.name, "MetricName": "Breach"}
    cloudwatch.put_metric_alarm(
        AlarmName=lab.name,
        **metric,
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=5,
        DatapointsToAlarm=3,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="missing",
    )
    cloudwatch.put_metric_data(Namespace=lab.name, MetricData=[{"MetricName": "Breach", "Value": 5}])

    def evaluated() -> str | None:
        alarm = cloudwatch.describe_alarms(AlarmNames=[lab.name])["MetricAlarms"][0]
        lab.words["the reason"] = alarm.get("StateReason", "")
        return None if alarm["StateValue"] == "INSUFFICIENT_DATA" else str(alarm["StateValue"])

    return {"the alarm's state": lab.perhaps("the alarm's state", evaluated, 240) or "INSUFFICIENT_DATA"}


PROBES = (
    Probe(
        "managed-policies",
        "Which of AWS's managed policies does GetAccountAuthorizationDetails show without a filter?",
        ("iam:GetAccountAuthorizationDetails",),
        (),
        managed_policies,
    ),
    Probe(
        "price-attributes",
        "Which attributes do SageMaker's products have in AWS's price list?",
        ("pricing:GetProducts",),
        (),
        price_attributes,
    ),
    Probe(
        "young-breach",
        "In which state is an alarm whose only data point breaches, and that wants three?",
        ("cloudwatch:DescribeAlarms",),
        ("alarm",),
        young_breach,
        Cost(0.001, "Amazon CloudWatch pricing: $0.10 a month for an alarm, $0.30 for a metric, by the hour"),
    ),
    Probe(
        "replication-rules",
        "How many rules may a registry's replication have?",
        ("ecr:PutReplicationConfiguration",),
        ("replication",),
        replication_rules_number,
    ),
)
