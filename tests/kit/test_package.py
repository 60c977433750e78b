"""Packing: the same tree gives the same bytes, and what was packed is known by its hash."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from awslang.template.reader import read
from scripts import package
from scripts.kit.bundle import pack
from scripts.kit.console import UserError
from scripts.kit.marker import MARKER
from tests.support import ROOT
from tests.support.bundle_tree import PRODUCT, make_bundle_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_bundle_tree(tmp_path / "tree")


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a bundle, without the marker that makes the folder the kit's own."""
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found.pop(MARKER)
    return found


def test_two_packages_are_byte_identical_from_any_folder_at_any_time_with_any_umask(tmp_path: Path) -> None:
    built = []
    for number, (umask, time) in enumerate([("022", 1_000_000_000), ("077", 1_700_000_000)]):
        tree = make_bundle_tree(tmp_path / f"clone-{number}")
        for path in tree.rglob("*"):
            os.utime(path, (time, time))
        command = f"umask {umask} && {sys.executable} -m scripts.package --root {tree}"
        run = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True
        )
        assert run.returncode == 0, run.stderr.decode()
        built.append(contents(tree / "build"))
    assert built[0] == built[1]
    assert set(built[0]) == {"manifest.json", "model-deploy.zip", "model-build.zip", "pipeline.zip", *pack.TEMPLATES}


def test_caches_in_the_seed_code_change_nothing(tree: Path) -> None:
    before = pack.pack(pack.read_tree(tree))
    (tree / "seed-code/model-deploy/__pycache__").mkdir()
    (tree / "seed-code/model-deploy/__pycache__/x.cpython-311.pyc").write_bytes(b"x")
    (tree / "seed-code/model-deploy/.DS_Store").write_bytes(b"x")
    assert pack.pack(pack.read_tree(tree)) == before


def test_one_changed_byte_is_another_bundle(tree: Path) -> None:
    before = pack.pack(pack.read_tree(tree))
    (tree / "seed-code/model-deploy/README.md").write_text("changed\n")
    after = pack.pack(pack.read_tree(tree))
    assert after.name != before.name
    assert after.key("model-build.zip") != before.key("model-build.zip")


def test_the_pipelines_code_carries_the_stage_and_endpoint_templates_at_its_root(tree: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(pack.pack(pack.read_tree(tree)).files["pipeline.zip"]))
    pipeline = ["pipeline/README.md", "pipeline/scripts/run.sh"]
    assert archive.namelist() == ["40-stage.yaml", "50-endpoint.yaml", *pipeline]
    assert archive.read("50-endpoint.yaml") == (tree / "templates/50-endpoint.yaml").read_bytes()
    modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert (modes["pipeline/README.md"], modes["pipeline/scripts/run.sh"]) == (0o644, 0o755)


def test_the_deploy_seed_carries_the_schema_of_its_settings_and_no_code_of_the_pipeline(tree: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(pack.pack(pack.read_tree(tree)).files["model-deploy.zip"]))
    assert archive.namelist() == ["README.md", "scripts/run.sh", "settings.schema.json"]
    settings = json.loads(archive.read("settings.schema.json"))["properties"]["Parameters"]["properties"]
    assert settings == {
        "Count": {
            "type": "string",
            "description": "Instances, e.g. 2. A number from 1 to 9.",
            "default": "1",
            "pattern": "^[0-9]+$",
        },
        "Kind": {
            "type": "string",
            "description": "How the model is served.",
            "default": "fast",
            "enum": ["fast", "slow"],
        },
        "Name": {
            "type": "string",
            "description": "A name of its own, e.g. a1.",
            "default": "a1",
            "pattern": "^(?:[a-z]\\d)$",
        },
    }


def test_packing_fixes_seed_code_and_version_in_the_product_and_nothing_else(tree: Path) -> None:
    bundle = pack.pack(pack.read_tree(tree))
    text = bundle.files[pack.PRODUCT].decode()
    defaults = {name: parameter.get("Default") for name, parameter in read(text)[0]["Parameters"].items()}
    assert defaults == {
        "SageMakerProjectName": None,
        "SageMakerProjectId": None,
        "SeedCodeDeployKey": f"bundle/{bundle.digest}/model-deploy.zip",
        "SeedCodeBuildKey": f"bundle/{bundle.digest}/model-build.zip",
        "PipelineCodeKey": f"bundle/{bundle.digest}/pipeline.zip",
        "EndpointTemplateKey": f"bundle/{bundle.digest}/templates/50-endpoint.yaml",
        "BundleVersion": f"1.2.3-{bundle.digest[:8]}",
    }
    declared = read(text)[0]["Parameters"]
    fixed = {
        name for name, parameter in declared.items() if parameter.get("AllowedValues") == [parameter.get("Default")]
    }
    assert fixed == {"PipelineCodeKey", "EndpointTemplateKey", "BundleVersion"}  # the seed code's keys stay open
    added = [line for line in text.splitlines() if line not in PRODUCT.read_text().splitlines()]
    assert {line.strip().split(":")[0] for line in added} == {"Default", "AllowedValues", "ConstraintDescription"}
    assert "# A comment that stays." in text


def test_a_product_without_the_parameters_that_packing_sets_is_refused(tree: Path) -> None:
    product = tree / pack.PRODUCT
    product.write_text(product.read_text().replace("SeedCodeBuildKey", "SeedKey"))
    with pytest.raises(UserError, match="has no parameter SeedCodeBuildKey"):
        pack.pack(pack.read_tree(tree))


@pytest.mark.parametrize("broken", ["Resources: {}", "Parameters: {A: {Type: String}}", "Metadata: 3"])
def test_a_stage_template_without_what_the_settings_schema_needs_is_refused(tree: Path, broken: str) -> None:
    (tree / pack.STAGE).write_text(f"{broken}\n")
    with pytest.raises(UserError, match=r"40-stage\.yaml needs Parameters with Type and Description"):
        pack.pack(pack.read_tree(tree))


def test_the_manifest_has_the_hash_of_every_file(tree: Path) -> None:
    assert package.main(["--root", str(tree)]) == 0
    built = contents(tree / "build")
    manifest = json.loads(built.pop("manifest.json"))
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == {
        name: pack.sha256(content) for name, content in built.items()
    }
    assert manifest["sha256"] == pack.read_build(tree / "build").digest


def test_a_bundle_that_is_not_built_says_what_to_run(tree: Path) -> None:
    with pytest.raises(UserError, match=r"the bundle is not built .*: run `make package`"):
        pack.read_build(tree / "build")


def test_a_file_edited_in_build_is_refused(tree: Path) -> None:
    package.main(["--root", str(tree)])
    (tree / "build/templates/40-stage.yaml").write_text("edited")
    with pytest.raises(UserError, match=r"40-stage.yaml is not what `make package` wrote"):
        pack.read_build(tree / "build")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"files": 3}'])
def test_a_broken_manifest_says_what_to_run(tree: Path, content: str) -> None:
    package.main(["--root", str(tree)])
    (tree / "build/manifest.json").write_text(content)
    with pytest.raises(UserError, match="run `make package`"):
        pack.read_build(tree / "build")


def test_a_bundle_older_than_its_sources_is_refused(tree: Path) -> None:
    package.main(["--root", str(tree)])
    bundle = pack.read_build(tree / "build")
    pack.check_fresh(bundle, tree)
    (tree / "seed-code/model-build/README.md").write_text("newer\n")
    with pytest.raises(
        UserError, match=r"older than the sources \(model-build.zip changed since\): run `make package`"
    ):
        pack.check_fresh(bundle, tree)


def test_a_clone_without_seed_code_is_reported(tree: Path) -> None:
    shutil.rmtree(tree / "seed-code/model-build")
    with pytest.raises(UserError, match="seed-code/model-build holds no files"):
        pack.read_tree(tree)


def test_an_empty_file_of_the_seed_code_is_refused_by_its_name() -> None:
    sources = {**pack.read_tree(pack.ROOT), "seed-code/model-build/empty.txt": b""}
    with pytest.raises(
        UserError, match=r"seed-code/model-build/empty.txt is empty, and CodeCommit takes no empty file"
    ):
        pack.pack(sources)
