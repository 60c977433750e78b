"""What stands in for a team's own container image on this machine, where no image runs.

SageMaker runs an image as `docker run IMAGE train` and `docker run IMAGE serve` (Developer Guide, "How Amazon SageMaker
AI Runs Your Training Image", "How Amazon SageMaker AI Runs Your Inference Image"): so is the entry point here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class StandIn:
    """entrypoint: gets train or serve as its argument; folder: the image's files, its working directory;
    requirements: a file of Python packages for an environment of its own; environment: the image's variables."""

    entrypoint: tuple[str, ...] = ()
    folder: Path | None = None
    requirements: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
