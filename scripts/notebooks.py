"""Run the notebooks on the embedded AWS, with the real SageMaker Python SDK, without an AWS account.

examples:
  make notebooks
  python -m scripts.notebooks --json
  python -m scripts.notebooks --docs docs/generated
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence

from scripts.kit import arguments
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UsageError, make_parser, paint, run, say
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.notebooks import run as notebooks
from scripts.rehearsal.permissions import write_policies
from scripts.rehearsal.story import Story, StoryFailed

DEFAULT_FOLDER = ROOT / "build" / "notebooks"
HEAD = """\
<!-- Made by `python -m scripts.notebooks --docs docs/generated`; do not edit. -->

This is [{name}](../../notebooks/{name}) with its outputs, as `make notebooks` ran it on the embedded AWS."""


def parser() -> argparse.ArgumentParser:
    made = make_parser("notebooks", __doc__)
    made.add_argument(
        "--docs", type=arguments.path, help="also write copies to read, with the outputs, into this folder"
    )
    made.add_argument("--json", action="store_true", help="print what was run as JSON on stdout")
    made.add_argument(
        "--folder",
        type=arguments.absolute,
        default=DEFAULT_FOLDER,
        help="where the run writes (default: build/notebooks)",
    )
    return made


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if args.docs and not args.docs.is_dir():
        raise UsageError(f"--docs {args.docs}: there is no such folder")
    start = time.monotonic()
    notebooks.python_of(notebooks.ENVIRONMENT)
    ran = []
    for path in sorted(notebooks.NOTEBOOKS.glob("*.ipynb")):
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
            for name, content in notebooks.rendered(executed, stem, HEAD.format(name=path.name)).items():
                (args.docs / name).write_bytes(content)
                say(f"wrote {args.docs / name}")
    seconds = time.monotonic() - start
    if args.json:
        print(json.dumps({"seconds": round(seconds, 3), "notebooks": ran}, indent=2))
    say(f"\n{paint('succeeded', '32')} in {seconds:.1f} s; the notebooks with their outputs are in "
        f"{os.path.relpath(args.folder)}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
