"""A build's own Python: the image's packages, wherever the rehearsal's environment is today."""

from __future__ import annotations

import subprocess
from pathlib import Path

from localaws.services.codebuild.shell import make_python


def test_a_folder_that_another_environment_has_used_gets_the_packages_of_this_one(tmp_path: Path) -> None:
    packages, gone, older = tmp_path / ".image", tmp_path / "gone", tmp_path / "older"
    for folder in (packages, older / "yaml"):
        folder.mkdir(parents=True)
    (older / "yaml" / "__init__.py").write_text("raise ImportError('of another environment')\n")
    (packages / "boto3").symlink_to(gone / "boto3")
    (packages / "boto3-0.0.1.dist-info").symlink_to(gone / "boto3-0.0.1.dist-info")
    (packages / "yaml").symlink_to(older / "yaml")
    programs = make_python(tmp_path / "python", packages, [])
    code = "import boto3, importlib.metadata, yaml; print(importlib.metadata.version('boto3'), yaml.__file__)"
    done = subprocess.run([str(programs / "python"), "-c", code], env={}, capture_output=True, text=True, check=True)
    assert not done.stdout.startswith("0.0.1")
    assert f"{packages}/yaml/__init__.py" in done.stdout
    assert all(link.exists() for link in packages.iterdir())
    before = {link.name: link.lstat().st_mtime_ns for link in packages.iterdir()}
    make_python(tmp_path / "second", packages, [])
    assert {link.name: link.lstat().st_mtime_ns for link in packages.iterdir()} == before
