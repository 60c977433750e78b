"""What EventBridge counts of its rules: FailedInvocations, the invocations that failed for good.

Amazon EventBridge User Guide, "Monitoring Amazon EventBridge" (AWS/Events, by RuleName; only where it is not zero) and
"Using dead-letter queues to process undelivered events in EventBridge" (a target that may not be invoked, or whose
input is no JSON, is not tried again). Its other metrics are not kept. EventBridge itself imports nothing of CloudWatch,
whose alarms send events.
"""

from __future__ import annotations

from localaws.cloud import Cloud
from localaws.services.cloudwatch import own_metrics
from localaws.services.events import service
from localaws.services.events.delivery import Delivery


def count(cloud: Cloud, ended: Delivery) -> None:
    if ended.failed:
        _, _, _, region, account, rule = ended.rule.split(":", 5)
        *bus, name = rule.split("/")[1:]
        dimensions = {"EventBusName": bus[0], "RuleName": name} if bus else {"RuleName": name}
        own_metrics.publish(cloud, account, region, "AWS/Events", [("FailedInvocations", 1.0, "Count")], dimensions)


service.listeners.append(count)
