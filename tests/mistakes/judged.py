"""What the judges of the templates say of a mistake: no rehearsal is needed for it."""

from __future__ import annotations

from pathlib import PurePath

from awslang.template.template import parse
from tests.mistakes import Mistake
from tests.support.judges import findings
from tests.support.who_may.judge import edited


def judged(mistake: Mistake) -> str:
    """Every sentence of the judges about the template with the mistake."""
    name, text = PurePath(mistake.file).name, mistake.text()
    return "\n".join([*findings(name, parse(text)), *edited(name, text)])
