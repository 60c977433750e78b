"""Account ids, Regions and partitions written into a template, which then works in one installation alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from botocore.session import Session

from awslang.template.template import Template
from tests.support.judges.values import walk

WORDS = {"Description", "ConstraintDescription", "AssertDescription", "AllowedPattern", "Comment", "Label"}
ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
PARTITION = re.compile(r"\barn:aws(-[a-z]+)*:")


@cache
def regions() -> re.Pattern[str]:
    """The names of all Regions, in every partition (botocore's list)."""
    session = Session()
    names = {name for one in session.get_available_partitions() for name in session.get_available_regions("s3", one)}
    return re.compile(rf"(?<![a-z0-9])({'|'.join(sorted(names))})(?![a-z0-9])")


def literals(name: str, template: Template) -> Iterator[str]:
    """What differs from one installation to the next and is written in the template itself."""
    for path, node in walk(dict(template.document)):
        if not isinstance(node, (str, int)) or isinstance(node, bool) or WORDS & set(map(str, path)):
            continue
        text = re.sub(r"\$\{[^}]*\}", " ", str(node))
        place = f"{name}: {'.'.join(map(str, path))}"
        for kind, pattern in (("account id", ACCOUNT), ("Region", regions()), ("partition", PARTITION)):
            if found := pattern.search(text):
                yield f"{place} has the {kind} {found[0]}"
