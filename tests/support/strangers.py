"""A stranger's folder, which holds what the kit's commands write too, and the commands that write into a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from scripts import console_bundle, notebooks, package, rehearse, release
from scripts.kit.bundle import pack
from scripts.kit.marker import MARKER, identity
from tests.support import NASTY
from tests.support.bundle_tree import make_bundle_tree

Strangers = dict[str, bytes | str]


def make_strangers(tmp_path: Path) -> Path:
    """A stranger's folder: a checkout with a repository, templates, an environment file and a link."""
    folder = make_bundle_tree(tmp_path / NASTY)
    for name in ("environment.yaml", "requests.jsonl", "policies.json", "manifest.json", "index.html", "SHA256SUMS"):
        (folder / name).write_text(f"my own {name}\n")
    (folder / ".git" / "refs").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "link").symlink_to("README.md")
    (folder / "empty").mkdir()
    return folder


def content(folder: Path) -> Strangers:
    """Every entry below a folder, byte by byte, with its mode and time."""
    found: Strangers = {}
    for path in sorted(folder.rglob("*")):
        name, status = path.relative_to(folder).as_posix(), path.lstat()
        body = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        target = str(path.readlink()) if path.is_symlink() else ""
        found[name] = repr((status.st_mode, status.st_mtime_ns, target)).encode() + body
    return found


def forge(folder: Path, command: str, files: dict[str, bytes], begun: tuple[str, ...] = ()) -> None:
    """A marker as the kit would write it, which says of a stranger's files that the kit wrote them."""
    prints = {name: [hashlib.sha256(body).hexdigest()] for name, body in files.items()}
    made = {"schema": 2, "folder": identity(folder), "written": {command: prints}, "begun": {command: list(begun)}}
    (folder / MARKER).write_text(json.dumps(made))


def commands(tree: Path) -> dict[str, Callable[[Path], int]]:
    """Each command that writes a folder, by its name."""
    line = ["--environment", str(tree.parent / "environment.yaml"), "--bundle", str(tree / "build")]
    template = ["--template", str(tree / pack.PRODUCT), "--trust"]
    return {
        "package": lambda folder: package.main(["--root", str(tree), "--output", str(folder)]),
        "console_bundle": lambda folder: console_bundle.main([*line, "--output", str(folder)]),
        "release": lambda folder: release.main(["--allow-changes", "--output", str(folder)]),
        "rehearse": lambda folder: rehearse.main(["--until", "organization", "--folder", str(folder)]),
        "rehearse --template": lambda folder: rehearse.main([*template, "--folder", str(folder)]),
        "notebooks": lambda folder: notebooks.main(["--folder", str(folder)]),
    }
