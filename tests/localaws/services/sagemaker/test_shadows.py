"""Shadow variants: which configurations AWS refuses, and which requests are copied."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from awslang.errors import AwsError
from localaws.cloud import Cloud
from localaws.services.sagemaker import shadows
from localaws.services.sagemaker.servers import Fleet, new_fleet


def variant(name: str, **more: Any) -> dict[str, Any]:
    return {"VariantName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1, **more}


def config(**more: Any) -> dict[str, Any]:
    return {"ProductionVariants": [variant("Live")], "ShadowProductionVariants": [variant("Shadow")], **more}


SERVERLESS = {"VariantName": "Less", "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ProductionVariants": [variant("A"), variant("B")]}, "one production variant and one shadow variant"),
        ({"ShadowProductionVariants": [variant("A"), variant("B")]}, "one production variant and one shadow variant"),
        ({"AsyncInferenceConfig": {}}, "asynchronous"),
        ({"ProductionVariants": [SERVERLESS]}, "serverless"),
        ({"ShadowProductionVariants": [SERVERLESS]}, "serverless"),
        ({"ShadowProductionVariants": [variant("Shadow", InstanceType="ml.inf1.xlarge")]}, "ml.inf1.xlarge"),
    ],
)
def test_what_excludes_a_shadow_variant_is_refused(more: dict[str, Any], words: str) -> None:
    said = refusal(config(**more))
    assert (said.split(":")[0], words in said) == ("ValidationException", True)


def test_one_shadow_variant_beside_one_production_variant_is_taken() -> None:
    assert refusal(config()) == refusal({"ProductionVariants": [SERVERLESS]}) == ""


def refusal(asked: dict[str, Any]) -> str:
    """The code and the words that a configuration meets; "" where it is taken."""
    try:
        shadows.check(asked)
    except AwsError as error:
        return f"{error.code}: {error.message}"
    return ""


class Counted:
    """A server that counts who uses it, as Server does."""

    def __init__(self) -> None:
        self.asked = 0

    @contextmanager
    def used(self) -> Iterator[None]:
        self.asked += 1
        try:
            yield
        finally:
            self.asked -= 1


def fleet(live: float, shadow: float) -> Fleet:
    found = new_fleet(
        config(
            ProductionVariants=[variant("Live", InitialVariantWeight=live)],
            ShadowProductionVariants=[variant("Shadow", InitialVariantWeight=shadow)],
        )
    )
    found.servers = {"Live": Counted(), "Shadow": Counted()}  # type: ignore[dict-item]  # all that mirror() looks at
    return found


class AtOnce:
    """A cloud whose background work is done before it goes on."""

    def background(self, where: str, work: Callable[..., None], *args: Any) -> None:
        work(*args)


@pytest.mark.parametrize(("live", "shadow", "least", "most"), [(7, 7, 300, 300), (1, 0, 0, 0), (2, 1, 90, 210)])
def test_the_shadow_gets_its_weights_share_and_the_others_answer(
    live: float, shadow: float, least: int, most: int
) -> None:
    to, seen = fleet(live, shadow), list[Any]()
    for _ in range(300):
        shadows.mirror(AtOnce(), to, seen.append)  # type: ignore[arg-type]  # all that mirror() asks of it
    assert least <= len(seen) <= most
    assert {to.choose() for _ in range(9)} == {"Live"}
    assert (to.capacity, to.shadows, to.with_instances()) == (1, ["Shadow"], ["Live", "Shadow"])


def test_a_shadow_that_does_not_answer_gets_so_many_copies_and_holds_no_caller(tmp_path: Path) -> None:
    cloud, to, over = Cloud(tmp_path), fleet(1, 1), threading.Event()

    def hang(server: Any) -> None:
        over.wait(20)

    for _ in range(shadows.MOST + 5):
        shadows.mirror(cloud, to, hang)  # this thread is the caller's
    assert not over.is_set()
    assert to.servers["Shadow"].asked == shadows.MOST
    over.set()
    cloud.stop()
    assert (to.servers["Shadow"].asked, cloud.faults) == (0, [])
