"""Who sent a message: SenderId is the unique id of the user or the role's session (SQS API Reference, ReceiveMessage).

What a service sends under its own name keeps moto's id: no page says which one it is.
"""

from __future__ import annotations

from typing import Any

from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.sqs.service import sqs
from localaws.services.sts.service import user_id

KNOWN = "rehearsal_sender"  # on a message of moto's whose sender was looked at


@sqs.after("SendMessage", "SendMessageBatch")
def sent(call: Call, _: Any) -> None:
    name = call.params["QueueUrl"].rstrip("/").rsplit("/", 1)[-1]
    queue = moto_bridge.backend("sqs", call.account, call.region).queues[name]
    for message in reversed(list(queue._messages)):
        if hasattr(message, KNOWN):
            return
        setattr(message, KNOWN, True)
        if call.principal.kind != "service":
            message.sender_id = user_id(call.principal)
