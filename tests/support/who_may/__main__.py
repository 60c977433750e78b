"""Write docs/generated/who-may.md, or say what notices each weakened statement.

python -m tests.support.who_may --write        the page
python -m tests.support.who_may [TEXT]         the mutants whose name contains TEXT, with what notices each
"""

from __future__ import annotations

import sys

from tests.support.who_may import page, promises
from tests.support.who_may.judge import judged
from tests.support.who_may.promises import PLACE


def main(arguments: list[str]) -> int:
    if arguments == ["--write"]:
        page.write()
        return 0
    wanted = arguments[0] if arguments else ""
    for verdict in judged():
        if wanted in str(verdict.mutant):
            print(f"{verdict.mutant}\n    {verdict.said}")
    print(f"{len(promises.load())} promises in {PLACE.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
