"""What differs from one installation to the next, written into a template, which then works in one alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from botocore.session import Session

from awslang.template.template import Template
from tests.support.judges.values import walk

WORDS = {"Description", "ConstraintDescription", "AssertDescription", "AllowedPattern", "Comment", "Label"}
AWSS_OWN = ("Mappings", "Monitors")  # accounts of AWS's by Region, the same for every installation
ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
HEX = "[0-9a-f]"
KINDS = {  # the forms of ids are those of the services' API references
    "partition": re.compile(r"\barn:aws(-[a-z]+)*:"),
    "DNS suffix": re.compile(r"(https?://|\bs3[.-]|\.ecr\.|~\.)[^ ]*amazonaws\.com"),
    "organization": re.compile(r"(?<![\w-])o-[a-z0-9]{10,32}(?![\w-])"),
    "organizational unit": re.compile(r"(?<![\w-])ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}(?![\w-])"),
    "network": re.compile(rf"(?<![\w-])(vpc|subnet|sg|vpce)-{HEX}{{8,17}}(?![\w-])"),
    "key": re.compile(rf"(?<!{HEX}){HEX}{{8}}(-{HEX}{{4}}){{3}}-{HEX}{{12}}(?!{HEX})"),
}


@cache
def regions() -> re.Pattern[str]:
    """The names of all Regions, in every partition (botocore's list), and of their Availability Zones."""
    session = Session()
    names = {name for one in session.get_available_partitions() for name in session.get_available_regions("s3", one)}
    return re.compile(rf"(?<![a-z0-9])({'|'.join(sorted(names))})[a-z]?(?![a-z0-9])")


def literals(name: str, template: Template) -> Iterator[str]:
    """What differs from one installation to the next and is written in the template itself."""
    for path, node in walk(dict(template.document)):
        if WORDS & set(map(str, path)) or path[:2] == AWSS_OWN:
            continue
        for value in node if isinstance(node, dict) else [node]:  # of a mapping its keys, which may be account ids too
            if not isinstance(value, (str, int)) or isinstance(value, bool):
                continue
            text = re.sub(r"\$\{[^}]*\}", "~", str(value))
            place = f"{name}: {'.'.join(map(str, path))}"
            for kind, pattern in {"account id": ACCOUNT, "Region": regions(), **KINDS}.items():
                if found := pattern.search(text):
                    yield f"{place} has the {kind} {found[0]}"
