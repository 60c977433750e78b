"""What `python -m scripts.notebooks` does once its options are read."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import paint, say
from scripts.kit.output import Output, replace_file
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.notebooks import run as notebooks
from scripts.rehearsal.policies_file import write_policies
from scripts.rehearsal.story import Story, StoryFailed

HEAD = """\
<!-- Made by `python -m scripts.notebooks --docs docs/generated`; do not edit. -->

This is [{name}](../../notebooks/{name}) with its outputs, as `make notebooks` ran it on the embedded AWS."""


def former(folder: Path, names: Sequence[str]) -> Iterable[str]:
    """What a version without markers wrote, where it alone wrote into the folder."""
    there = {f"{path.name}/" for path in folder.iterdir()}
    return there if there <= set(names) else ()


def run_notebooks(args: argparse.Namespace) -> int:
    """Run every notebook as the options say; the exit code."""
    start = time.monotonic()
    notebooks.python_of(notebooks.ENVIRONMENT)
    ran, paths = [], sorted(notebooks.NOTEBOOKS.glob("*.ipynb"))
    names = [f"{path.stem}/" for path in paths]
    Output(args.folder, "notebooks", "--folder", older=lambda folder: former(folder, names)).enter(names)
    for path in paths:
        folder = args.folder / path.stem
        server = embedded_aws(folder)
        with server as cloud:
            story = Story(cloud, folder)
            try:
                play(story, until="project")
                say(paint(f"    {path.relative_to(ROOT)}", "1"))
                executed = notebooks.execute(path, server, story, folder / "notebook")
            except (StoryFailed, notebooks.NotebookFailed) as error:
                say(f"\n{paint('failed', '31')}: {error}")
                return 1
            finally:
                write_policies(cloud, folder / "policies.json")
        ran.append({"notebook": path.name, "seconds": executed.seconds})
        if args.docs:
            stem = f"notebook-{path.stem[:2]}"
            pages = notebooks.rendered(executed, stem, HEAD.format(name=path.name))
            page = pages.pop(f"{stem}.md").decode()
            replace_file(args.docs / f"{stem}.md", page, "--docs")  # first: it says whose the plots beside it are
            say(f"wrote {args.docs / f'{stem}.md'}")
            for name, content in pages.items():
                (args.docs / name).write_bytes(content)
                say(f"wrote {args.docs / name}")
    seconds = time.monotonic() - start
    if args.json:
        print(json.dumps({"seconds": round(seconds, 3), "notebooks": ran}, indent=2))
    say(f"\n{paint('succeeded', '32')} in {seconds:.1f} s; the notebooks with their outputs are in "
        f"{os.path.relpath(args.folder)}")  # fmt: skip
    return 0
