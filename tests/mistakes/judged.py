"""What the judges say of a mistake for which no rehearsal is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import PurePath

from awslang.template.template import parse
from tests.judges import build_image, registered
from tests.mistakes import Mistake
from tests.support.judges import findings
from tests.support.who_may.judge import edited


def of_templates(mistake: Mistake) -> str:
    """Every sentence of the judges about the template with the mistake."""
    name, text = PurePath(mistake.file).name, mistake.text()
    return "\n".join([*findings(name, parse(text)), *edited(name, text)])


def of_the_image(mistake: Mistake) -> str:
    """What a build image or the registered version does not support of a file with the mistake."""
    name, text = PurePath(mistake.file).name, mistake.text()
    if not mistake.file.startswith("pipeline/"):
        return "\n".join(registered.findings({mistake.file: text}))
    known = json.loads(build_image.KNOWN.read_text(encoding="utf-8"))
    try:
        return "\n".join(build_image.problems({name: text}, known, build_image.methods_now()))
    except SyntaxError as error:
        return f"{name}, line {error.lineno}: the image's Python does not read it ({error.msg})"


JUDGES: Mapping[str, Callable[[Mistake], str]] = {"template-judges": of_templates, "image-judges": of_the_image}


def judged(mistake: Mistake) -> str:
    return JUDGES[mistake.by](mistake)
