"""The targets of the Makefile and of develop.mk, which it includes."""

from __future__ import annotations

import re

from tests.support import ROOT

FILES = ("Makefile", "develop.mk")
RULES = "".join((ROOT / name).read_text(encoding="utf-8") for name in FILES)
TARGETS = re.findall(r"^([a-z-]+):", RULES, re.MULTILINE)
