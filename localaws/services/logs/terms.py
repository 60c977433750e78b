"""Filter patterns of terms, which moto reads only in part: `-ERROR` and `?ERROR ?WARN` match everything there.

CloudWatch Logs User Guide, "Filter pattern syntax": all terms must be in the message, but for those after -, which
must not; of those after ? one must; "a phrase" is one term. Terms are case-sensitive. Patterns of JSON, of columns and
of regular expressions are refused by name, and so is ? beside other terms.
"""

from __future__ import annotations

import re

from moto.logs import models

from awslang.errors import AwsError, NotSupported

TERM = re.compile(r'([-?]?)(?:"([^"]+)"|([A-Za-z0-9_]+))(?:\s+|$)')


class Terms:
    """In place of moto's EventMessageFilter; None and "" match every message."""

    def __init__(self, pattern: str | None) -> None:
        self.terms: dict[str, list[str]] = {"": [], "-": [], "?": []}
        rest = (pattern or "").strip()
        if rest[:1] in ("{", "[", "%"):
            raise NotSupported(f"a filter pattern that is not of terms ({pattern})")
        while rest:
            found = TERM.match(rest)
            if found is None:
                raise AwsError("InvalidParameterException", f"Invalid filter pattern: {pattern}")
            self.terms[found[1]].append(found[2] or found[3])
            rest = rest[found.end() :]
        if self.terms["?"] and (self.terms[""] or self.terms["-"]):
            raise NotSupported(f"a filter pattern with ? beside other terms ({pattern})")

    def matches(self, message: str) -> bool:
        everywhere, nowhere, somewhere = (self.terms[kind] for kind in ("", "-", "?"))
        return (
            all(term in message for term in everywhere)
            and not any(term in message for term in nowhere)
            and (not somewhere or any(term in message for term in somewhere))
        )


models.EventMessageFilter = Terms
