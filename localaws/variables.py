"""What moto reads of the environment, which would change what the embedded AWS answers: another account, no refusals.

moto reads many of them once, when it is imported, so they are taken away before (localaws/__init__.py).
tests/localaws/test_variables.py compares this with moto's code.
"""

from __future__ import annotations

from collections.abc import MutableMapping

PREFIX = "MOTO_"
WITHOUT_PREFIX = frozenset({
    "DEFAULT_CONTAINER_REGISTRY", "INITIAL_NO_AUTH_ACTION_COUNT", "MAX_SHARED_ACCOUNTS",
    "S3_IGNORE_SUBDOMAIN_BUCKETNAME", "S3_UPLOAD_PART_MIN_SIZE", "SF_EXECUTION_HISTORY_TYPE",
    "TESTS_SKIP_REQUIRES_DOCKER", "TEST_PROXY_MODE",
    "TEST_PROXY_MODE_ENDPOINT", "TEST_SERVER_MODE", "TEST_SERVER_MODE_ENDPOINT", "VALIDATE_LAMBDA_S3",
})  # fmt: skip


def is_motos(name: str) -> bool:
    return name.startswith(PREFIX) or name in WITHOUT_PREFIX


def take_away(environment: MutableMapping[str, str]) -> dict[str, str]:
    """Take moto's variables out of an environment; what they were."""
    return {name: environment.pop(name) for name in list(environment) if is_motos(name)}
