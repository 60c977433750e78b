"""The page for the console registers what `make publish` registers: every value is taken from the page itself."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from localaws.cloud import Cloud
from scripts import console_bundle
from scripts.kit import console
from scripts.kit.publish import by_hand
from tests.support import ROOT
from tests.support.publisher import REGION, A, Publisher


class Page(HTMLParser):
    """The forms of the page: for each, label and values."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, list[str]]] = {}
        self.path: list[str] = []
        self.label = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "li":
            self.forms[str(dict(attrs)["id"])] = {}
        self.path.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.path.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.path[-1:] == ["th"]:
            self.label = data
        elif self.path[-2:] == ["td", "code"]:
            form = self.forms[list(self.forms)[-1]]
            form.setdefault(self.label, []).append(data)


@pytest.fixture
def publisher(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    made = Publisher(cloud, tmp_path, monkeypatch)
    product = "templates/30-project.yaml"
    (made.tree / product).write_bytes((ROOT / product).read_bytes())  # the real one: it has parameters with defaults
    made.pack()
    return made


def written(publisher: Publisher, *arguments: str) -> Path:
    line = ["--environment", str(publisher.environment), "--bundle", str(publisher.tree / "build"), *arguments]
    assert console_bundle.main(line) == 0
    return publisher.tree / "build/console"


def click(publisher: Publisher, folder: Path) -> None:
    """What the console does with the values of the page: the calls behind each form."""
    forms = Page((folder / by_hand.PAGE).read_text(encoding="utf-8")).forms
    s3, catalog = publisher.root.client("s3"), publisher.root.client("servicecatalog")
    objects = {label: values[0] for label, values in forms["objects"].items()}
    tagging = f"{objects['Tag key'].replace(':', '%3A')}={objects['Tag value']}"
    for path in sorted((folder / "bundle").rglob("*")):
        if path.is_file():
            key = path.relative_to(folder).as_posix()
            s3.put_object(Bucket=objects["Bucket"], Key=key, Body=path.read_bytes(), Tagging=tagging)
    form = {label: values[0] for label, values in forms["portfolio"].items()}
    portfolio = catalog.create_portfolio(
        DisplayName=form["Portfolio name"], Description=form["Description"], ProviderName=form["Owner"]
    )["PortfolioDetail"]["Id"]
    form = {label: values[0] for label, values in forms["product"].items()}
    s3.create_bucket(Bucket="cf-templates-console")  # the console's own upload
    s3.put_object(Bucket="cf-templates-console", Key="t.yaml", Body=(folder / form["Template file"]).read_bytes())
    product = catalog.create_product(
        Name=form["Product name"],
        Description=form["Description"],
        Owner=form["Owner"],
        ProductType="CLOUD_FORMATION_TEMPLATE",
        ProvisioningArtifactParameters={
            "Name": form["Version title"],
            "Type": "CLOUD_FORMATION_TEMPLATE",
            "Info": {"LoadTemplateFromURL": f"https://cf-templates-console.s3.{REGION}.amazonaws.com/t.yaml"},
        },
    )["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
    catalog.associate_product_with_portfolio(ProductId=product, PortfolioId=portfolio)
    tag = {"Key": forms["tag"]["Key"][0], "Value": forms["tag"]["Value"][0]}
    catalog.update_product(Id=product, AddTags=[tag])
    catalog.create_constraint(
        PortfolioId=portfolio,
        ProductId=product,
        Type="LAUNCH",
        Parameters=json.dumps({"RoleArn": forms["constraint"]["IAM role"][0]}),
        Description=forms["constraint"]["Description"][0],
    )
    for principal in forms["principals"]["Principal"]:
        catalog.associate_principal_with_portfolio(PortfolioId=portfolio, PrincipalARN=principal, PrincipalType="IAM")


def test_what_is_clicked_is_what_would_be_published(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    click(publisher, written(publisher))
    capsys.readouterr()
    assert publisher("--dry-run", "--json") == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert len(steps) == 19
    assert [step for step in steps if step["action"] != "keep"] == []
    assert publisher.writes_of() == []


def test_the_template_holds_the_installations_own_defaults(publisher: Publisher) -> None:
    assert re.search("Default: '?ou-ab12-stag1111", (written(publisher) / by_hand.TEMPLATE).read_text())


def test_a_unit_named_by_its_path_is_reported(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    text = publisher.environment.read_text()
    publisher.environment.write_text(text.replace("ou-ab12-stag1111", "deployment/staging"))
    line = ["--environment", str(publisher.environment), "--bundle", str(publisher.tree / "build")]
    assert console.run(lambda: console_bundle.main(line)) == 1
    assert "units.staging: deployment/staging is the path of a unit. Write its id" in capsys.readouterr().err


def test_a_wrong_value_would_be_noticed(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    folder = written(publisher)
    page = folder / by_hand.PAGE
    page.write_text(page.read_text().replace("<code>true</code>", "<code>True</code>"))
    click(publisher, folder)
    capsys.readouterr()
    publisher("--dry-run", "--json")
    changed = {step["kind"] for step in json.loads(capsys.readouterr().out)["steps"] if step["action"] != "keep"}
    assert changed == {"product", "s3 object"}


def test_no_question_is_asked_and_its_old_files_are_gone(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(publisher)
    [old] = (folder / "bundle").iterdir()
    publisher.change()
    seen = publisher.requests()
    (folder / "mine.txt").write_text("mine")
    capsys.readouterr()
    assert written(publisher) == folder
    assert not old.exists()
    assert (folder / "mine.txt").read_text() == "mine"
    assert capsys.readouterr().out == f"{folder / by_hand.PAGE}\n"
    assert publisher.requests() == seen
    assert A in (folder / by_hand.PAGE).read_text()
