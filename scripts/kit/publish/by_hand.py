"""What publishing manually in the console needs: the files to upload, and one page with every value. Pure.

The steps are those of the post ("Importing the custom SageMaker Studio project template"), with the values
that `make publish` would use.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.kit.bundle import pack
from scripts.kit.publish.catalog import STUDIO_TAG, WantedProduct
from scripts.kit.publish.publishing import (
    CONSTRAINT_DESCRIPTION,
    PORTFOLIO_DESCRIPTION,
    PROVISIONING_TAG,
)

PAGE = "index.html"
TEMPLATE = "30-project.yaml"


@dataclass(frozen=True)
class ConsoleForm:
    """One form of the console. fields: label and value; a label stands once for each of its values."""

    id: str
    where: str
    do: str
    fields: tuple[tuple[str, str], ...]


def steps(want: WantedProduct) -> list[ConsoleForm]:
    """The forms in their order."""
    folder = next(iter(want.objects)).split("/")[0]
    return [
        ConsoleForm(
            "objects",
            "Amazon S3 → Buckets → the bucket below → Upload",
            f"Add the folder {folder}/ that is next to this page (Add folder keeps the names). Under Properties add "
            "the tag, so that AWS's launch role may read the files. Every name carries a hash: nothing is overwritten.",
            (("Bucket", want.bucket), ("Tag key", PROVISIONING_TAG[0]), ("Tag value", PROVISIONING_TAG[1])),
        ),
        ConsoleForm(
            "portfolio",
            "AWS Service Catalog → Administration → Portfolios → Create portfolio",
            "Skip this step if the portfolio exists.",
            (("Portfolio name", want.portfolio), ("Description", PORTFOLIO_DESCRIPTION), ("Owner", want.owner)),
        ),
        ConsoleForm(
            "product",
            "The portfolio → Products → Upload new product",
            f"Choose “Use a template file” and upload {TEMPLATE}, which is next to this page. If the product "
            "exists, open it, choose Create new version with the same file and title, and deprecate older versions.",
            (
                ("Product name", want.product),
                ("Description", want.description),
                ("Owner", want.owner),
                ("Template file", TEMPLATE),
                ("Version title", want.version),
            ),
        ),
        ConsoleForm(
            "tag",
            "The product → Tags → Add new tag",
            "Write the value in lower case: with “True” Studio does not show the template.",
            (("Key", STUDIO_TAG[0]), ("Value", STUDIO_TAG[1])),
        ),
        ConsoleForm(
            "constraint",
            "The portfolio → Constraints → Create constraint",
            "Constraint type Launch, method Select IAM role.",
            (
                ("Product", want.product),
                ("IAM role", want.launch_role),
                ("Description", CONSTRAINT_DESCRIPTION),
            ),
        ),
        ConsoleForm(
            "principals",
            "The portfolio → Access → Grant access",
            "Grant access to each of these principals: they see the template in Studio.",
            tuple(("Principal", principal) for principal in want.principals),
        ),
        *tag_forms(want),
    ]


def tag_forms(want: WantedProduct) -> list[ConsoleForm]:
    """The organization's tags; none where there are none."""
    if not want.tags:
        return []
    where = (
        "AWS Service Catalog → Administration → TagOptions library → Create; then the product → TagOptions → Associate"
    )
    do = "Every project's stack then gets these tags. Add them under Tags to the portfolio and the product as well."
    return [ConsoleForm("tag-options", where, do, tuple(want.tags.items()))]


def page(want: WantedProduct) -> str:
    """The page as HTML: one form after the other, each value to be copied."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # a tenth of a second, which no --help needs

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("by_hand.html.jinja").render(want=want, steps=steps(want))


def files(want: WantedProduct, bundle: pack.Bundle) -> dict[str, bytes]:
    """Everything by its path: the page, the product's template, and the objects under their keys."""
    return {PAGE: page(want).encode(), TEMPLATE: bundle.files[pack.PRODUCT], **want.objects}
