"""The response module of inline functions (CloudFormation User Guide, "cfn-response module": its parameters).

Only inline code that says `import cfnresponse` gets it, as on AWS. It runs within a function, so it needs nothing but
Python's own library.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(
    event: dict[str, Any],
    context: Any,
    responseStatus: str,  # noqa: N803  # AWS's names: templates pass them by keyword
    responseData: dict[str, Any],  # noqa: N803
    physicalResourceId: str | None = None,  # noqa: N803
    noEcho: bool = False,  # noqa: N803
    reason: str | None = None,
) -> None:
    """Put the answer of a custom resource where the event says."""
    response = {
        "Status": responseStatus,
        "Reason": reason or f"See the details in CloudWatch Log Stream: {context.log_stream_name}",
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
        "NoEcho": noEcho,
        "Data": responseData,
    }
    body = json.dumps(response).encode()
    print(f"Response body:\n{body.decode()}")
    request = urllib.request.Request(event["ResponseURL"], body, {"content-type": ""}, method="PUT")
    try:
        with urllib.request.urlopen(request) as answer:
            print("Status code:", answer.status)
    except urllib.error.URLError as error:
        print("send(..) failed:", error)
