"""Shadow variants: a model that gets copies of an endpoint's requests, and whose answers no caller gets.

SageMaker API Reference, "CreateEndpointConfig" (one variant of each kind); Developer Guide, "Testing models with shadow
variants", "Shadow tests" (what excludes them; answers that are captured for a comparison), "Best practices" (shadow
variants are scaled as others). The weight of a shadow variant beside that of the production variant is the share of the
requests that are copied, and its captured data are in a folder of its own, with the caller's InferenceId (AWS's
notebooks "Shadow_variant" and "sm-shadow_variant_shadow_api", aws/amazon-sagemaker-examples).

In which words AWS refuses, whether a copy and its original have an `eventId` in common, and what becomes of copies that
the shadow is too slow for is not documented: docs/explanation/open-questions.md.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from localaws.cloud import Cloud
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.servers import Fleet, Server
from localaws.variants import UNGUARDED, VARIANTS, variants_of

MOST = 16  # copies under way at a time: a shadow that is slower than its requests gets no more


def check(config: Mapping[str, Any]) -> None:
    """ValidationException for a configuration with a shadow variant that AWS refuses. config: the request's members"""
    if "ShadowProductionVariants" not in config:
        return
    if any(len(config[member]) > 1 for member in VARIANTS):
        raise invalid("With ShadowProductionVariants, one production variant and one shadow variant can be specified.")
    if "AsyncInferenceConfig" in config:
        raise invalid("ShadowProductionVariants is not supported for asynchronous endpoints.")
    for variant in variants_of(config):
        if "ServerlessConfig" in variant:
            raise invalid("ShadowProductionVariants is not supported for serverless endpoints.")
        if variant["InstanceType"].startswith(UNGUARDED):
            raise invalid(f"ShadowProductionVariants is not supported for the instance type {variant['InstanceType']}.")


def mirror(cloud: Cloud, fleet: Fleet, answer: Callable[[Server], None]) -> None:
    """A copy of a request to the fleet's shadow, if it has one, beside the answer that the caller waits for.

    answer: asks the shadow; it runs in a thread of its own, so nothing that the shadow does reaches the caller
    """
    for name in fleet.shadows:
        shadow = fleet.servers.get(name)  # none where the fleet has just ended
        if shadow and shadow.asked < MOST and random.random() < share(fleet, name):
            held = ExitStack()
            held.enter_context(shadow.used())  # already here, so that its server does not end before the thread asks it
            cloud.background(f"copy of a request to {name}", ask, held, shadow, answer)


def ask(held: ExitStack, shadow: Server, answer: Callable[[Server], None]) -> None:
    with held:
        answer(shadow)


def share(fleet: Fleet, shadow: str) -> float:
    """The share of the requests that the shadow gets, of 1."""
    answering = fleet.weights[fleet.answering[0]]
    return min(1.0, fleet.weights[shadow] / answering) if answering else 1.0
