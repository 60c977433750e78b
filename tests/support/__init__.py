"""What several test files share."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # the repository
EXAMPLE_SETTINGS = (ROOT / "environment.example.yaml").read_text(encoding="utf-8")
# The name of a folder with all that a shell or a program may stumble over.
NASTY = 'a folder\'s "best" (né $HOME) `id`\nand more; #'
