"""The content types that SageMaker's XGBoost container 3.0-5 knows, for training and for requests.

Its public code, github.com/aws/sagemaker-xgboost-container at v3.0-5: data_utils.py.
"""

from __future__ import annotations

import re

CSV, LIBSVM, PARQUET, RECORDIO = "csv", "libsvm", "parquet", "recordio-protobuf"
KINDS = {
    CSV: CSV,
    LIBSVM: LIBSVM,
    PARQUET: PARQUET,
    RECORDIO: RECORDIO,
    "text/csv": CSV,
    "text/libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
    "application/x-parquet": PARQUET,
    "application/x-recordio-protobuf": RECORDIO,
}


class CustomerError(Exception):
    """A mistake in what the container was given."""


def kind_of(content_type: str | None) -> str:
    """csv, libsvm, parquet or recordio-protobuf; libsvm where no type is given; CustomerError for another type."""
    if content_type is None:
        return LIBSVM
    name, _, parameters = content_type.lower().partition(";")
    kind = KINDS.get(name.strip())
    if kind is None:
        raise CustomerError(f"{content_type} is not an accepted ContentType: {', '.join(KINDS)}.")
    size = re.search(r"(?:^|;)\s*label_size\s*=\s*\"?([^;\"]*)", parameters)
    if kind == CSV and size and size.group(1).strip() != "1":
        raise CustomerError(
            f"{content_type} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1"
        )
    return kind
