"""A rehearsal that is kept: its files are its user's alone, and what it hands out signs in."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from tests.support import ROOT


@pytest.mark.slow
def test_what_a_kept_rehearsal_leaves_is_closed_to_others_and_signs_in(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    command = "import os, sys; os.umask(0); from scripts import rehearse; sys.exit(rehearse.main(sys.argv[1:]))"
    arguments = ["--until", "organization", "--keep", "--folder", str(folder)]
    with subprocess.Popen(
        [sys.executable, "-c", command, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as kept:
        assert kept.stderr is not None
        said = ""
        for line in kept.stderr:
            said += line
            if "Ctrl-C stops it" in line:
                break
        paths = [folder, *folder.rglob("*")]
        modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in paths if not path.is_symlink()}
        assert re.search(r"^  management +the ML engineer, \d{12}$", said, re.MULTILINE)
        assert "AWS_ACCESS_KEY_ID" not in said
        read = ["sh", "-c", ". ./env.sh && as_root_management && env"]
        listed = subprocess.run(read, cwd=folder, capture_output=True, text=True, check=True).stdout
        variables = dict(re.findall(r"^(AWS_\w+)=(\S+)$", listed, re.MULTILINE))
        session = boto3.Session(
            variables["AWS_ACCESS_KEY_ID"],
            variables["AWS_SECRET_ACCESS_KEY"],
            variables["AWS_SESSION_TOKEN"],
            "us-east-1",
        )
        identity = session.client("sts", endpoint_url=variables["AWS_ENDPOINT_URL"]).get_caller_identity()
        kept.send_signal(signal.SIGTERM)
        kept.wait(60)
    assert identity["Arn"].startswith("arn:aws:")
    assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}
    assert {"aws-config", "env.sh", "requests.jsonl", "summary.json", "report.html", "policies.json"} <= modes.keys()
    assert os.environ.get("AWS_ACCESS_KEY_ID") != variables["AWS_ACCESS_KEY_ID"]
