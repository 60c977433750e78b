"""What `python -m scripts.notebooks` does once its options are read."""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from awslang.bounded import read_file
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UsageError, paint, say
from scripts.kit.marker import MARKER, Prints, print_of, put
from scripts.kit.output import UNKNOWN, Output, begins, nothing, replace_file
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.notebooks import DEFAULT_FOLDER
from scripts.rehearsal.notebooks import run as notebooks
from scripts.rehearsal.policies_file import write_policies
from scripts.rehearsal.story import Story, StoryFailed

PLOT = re.compile(r"<!-- ([a-z0-9-]+\.png): SHA-256 ([0-9a-f]{64}) -->")  # beside each plot of a page
LARGEST = 50_000_000  # bytes of a page
HEAD = """\
<!-- Made by `python -m scripts.notebooks --docs docs/generated`; do not edit. -->

This is [{name}](../../notebooks/{name}) with its outputs, as `make notebooks` ran it on the embedded AWS."""
BEGINS = {
    "02-compare-and-roll-back": "second-version"
}  # after which chapter a notebook is run; the others have a project


def former(folder: Path, names: Sequence[str]) -> Prints:
    """What a version without this marker wrote, where it alone wrote into the folder; it is put aside."""
    there = {f"{path.name}/" for path in folder.iterdir() if path.name != MARKER}
    return dict.fromkeys(there, UNKNOWN) if there <= set(names) else {}


@contextmanager
def ours(folder: Path, names: Sequence[str]) -> Iterator[None]:
    """To write below the names in a folder, in the place of what the last run wrote there."""
    kinds = re.compile("|".join(map(re.escape, names)))
    older = nothing if folder != DEFAULT_FOLDER else lambda there: former(there, names)
    output = Output(folder, "notebooks", "--folder", older=older, kinds=kinds)
    output.begin(names)
    try:
        yield
    finally:
        output.finish(names)


def write_pages(folder: Path, stem: str, pages: Mapping[str, bytes]) -> Iterator[Path]:
    """Write a notebook's page with its plots; the files that were written. pages: their content by name

    UsageError, with nothing written, where a plot that is there is not the one of which the page has the SHA-256.
    Interrupted anywhere, it can be run again: a plot is away before the page says something else of it.
    """
    page, plots = folder / f"{stem}.md", {name: content for name, content in pages.items() if name != f"{stem}.md"}
    text = pages[page.name].decode()
    first = text.splitlines()[0]
    before = PLOT.findall(read_file(page, LARGEST).decode()) if begins(page, first) else []
    known = {name: digest for name, digest in before if name.startswith(f"{stem}-")}
    there = [name for name in {*plots, *known} if os.path.lexists(folder / name)]
    for name in there:
        if print_of(folder / name) != known.get(name):
            raise UsageError(
                f"--docs {folder}: {name} is there, and it is not what the kit wrote. Move it to another place, or "
                "name another folder"
            )
    if os.path.lexists(page) and not begins(page, first):
        replace_file(page, text, "--docs")  # says that it is not the kit's
    for name in there:
        (folder / name).unlink()
    replace_file(page, text, "--docs")
    yield page
    for name, content in plots.items():
        put(folder, name, content)
        yield folder / name


def run_notebooks(args: argparse.Namespace) -> int:
    """Run every notebook as the options say; the exit code."""
    start = time.monotonic()
    notebooks.python_of(notebooks.ENVIRONMENT)
    paths = sorted(notebooks.NOTEBOOKS.glob("*.ipynb"))
    names = [f"{path.stem}/" for path in paths]
    with ours(args.folder, names):
        return run_each(args, paths, start)


def run_each(args: argparse.Namespace, paths: Sequence[Path], start: float) -> int:
    ran = []
    for path in paths:
        folder = args.folder / path.stem
        server = embedded_aws(folder)
        with server as cloud:
            story = Story(cloud, folder)
            try:
                play(story, until=BEGINS.get(path.stem, "project"))
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
            for written in write_pages(args.docs, stem, pages):
                say(f"wrote {written}")
    seconds = time.monotonic() - start
    if args.json:
        print(json.dumps({"seconds": round(seconds, 3), "notebooks": ran}, indent=2))
    say(f"\n{paint('succeeded', '32')} in {seconds:.1f} s; the notebooks with their outputs are in "
        f"{os.path.relpath(args.folder)}")  # fmt: skip
    return 0
