"""The tags of the environment file: what everything that the kit creates is tagged with."""

from __future__ import annotations

from scripts.kit.settings.sections import Section, text_problem

WORD = r"[a-zA-Z0-9_.:/+@-]"
TAG_KEY = rf"(?=.{{1,128}}$)(?!(?i:aws:|sagemaker:)){WORD}+( +{WORD}+)*"  # IAM, "Tags for AWS IAM resources"; without =
TAG_VALUE = r"(?=.{1,256}$)[a-zA-Z0-9_.:/=+@-]+( +[a-zA-Z0-9_.:/=+@-]+)*"  # the same page; a TagOption is not empty
TAGS = 15  # a product or portfolio has 20, the kit's own among them (Service Catalog, "default service quotas")


def read_tags(top: Section) -> dict[str, str]:
    """What everything is tagged with: keys of the organization's own."""
    section, tags = top.section("tags"), {}
    form = "1 to 128 letters, digits, spaces or _.:/+-@, without aws: or sagemaker:"
    for key in section.node:
        if wrong := text_problem(key, TAG_KEY, form):
            section.complain(str(key), f"is no key of a tag: {wrong}")
        tags[str(key)] = section.text(str(key), TAG_VALUE, "1 to 256 letters, digits, spaces or _.:/=+-@")
    if len(tags) > TAGS:
        top.complain("tags", f"has {len(tags)} tags, and there is room for {TAGS}")
    return tags
