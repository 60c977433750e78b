"""Values that are set in a template's text are read back, and nothing else has changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from awslang.template.parameters import broken_constraint
from awslang.template.reader import read
from scripts.kit.bundle import installation, pack
from scripts.kit.bundle.parameter_defaults import with_defaults
from scripts.kit.console import UserError
from scripts.kit.publish import defaults as looked
from scripts.kit.settings.model import Units
from scripts.kit.settings.reading import parse
from scripts.kit.stages import Stage
from tests.support import ROOT

AROUND = "Description: d # kept\nParameters:\n  Before: {{Type: String}}\n{}  # kept\n  After:\n    Type: String\n"
FORMS = {
    "a plain default": "  P:\n    Type: String\n    Default: old # why\n    MinLength: 1\n",
    "a default in quotes": '  P:\n    Default: "it\'s: old"\n    Type: String\n',
    "a default of several lines": "  P:\n    Default: 'one\n      two'\n    Type: String\n",
    "a block": "  P:\n    Default: |\n      one\n      two\n    Type: String\n",
    "a folded block at the end": "  P:\n    Type: String\n    Default: >-\n      one\n      two\n",
    "a list": "  P:\n    Type: String\n    Default: [a,\n      b]\n",
    "an empty default": "  P:\n    Type: String\n    Default: ''\n",
    "no default": "  P:\n    Type: String  # why\n    Description: d\n",
    "no default, Type last": "  P:\n    Description: d\n    Type: String\n",
    "no default, quoted Type": "  P:\n      'Type': 'String'\n",
    "on one line": "  P: {Type: String, Default: old, MinLength: 1}\n",
    "on one line without a default": "  P: {Description: d, Type: String}\n",
    "on one line with a list": "  P: {Type: String, AllowedValues: [a, b]}\n",
    "choices below each other": "  P:\n    AllowedValues:\n      - a\n      - b  # why\n    Type: String\n",
    "choices beneath the key": "  P:\n    Type: String\n    AllowedValues:\n    - a\n    # why\n    MinLength: 0\n",
    "all": "  P:\n    ConstraintDescription: a\n      b\n    AllowedValues: [a]\n    Default: a\n    Type: String\n",
}


@pytest.mark.parametrize("value", ["new", "it's new", "", "#1: new", "0123", "{a: b}"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
@pytest.mark.parametrize("form", FORMS)
def test_a_default_is_set_and_nothing_else_changes(form: str, line_break: str, value: str) -> None:
    before = AROUND.format(FORMS[form]).replace("\n", line_break)
    after = with_defaults(before.encode(), {"P": value}, "t.yaml", ["P"]).decode()
    expected = {**read(before)[0]}
    expected["Parameters"] = {**expected["Parameters"], "P": {**expected["Parameters"]["P"], "Default": value}}
    assert read(after)[0] == expected
    assert after.count("# kept") == 2
    assert after.count("# why") == before.count("# why")


@pytest.mark.parametrize("value", ["new", "it's new", "", "0123"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
@pytest.mark.parametrize("form", FORMS)
def test_a_fixed_value_is_the_default_and_the_only_choice(form: str, line_break: str, value: str) -> None:
    before = AROUND.format(FORMS[form]).replace("\n", line_break)
    after = read(with_defaults(before.encode(), {"P": value}, "t.yaml").decode())[0]["Parameters"]
    declared = read(before)[0]["Parameters"]
    text = f"{value or 'left empty'}, as published."
    fixed = {"Default": value, "AllowedValues": [value], "ConstraintDescription": text}
    assert after == {**declared, "P": {**declared["P"], **fixed}}


def test_the_choices_of_a_list_are_its_members_and_cloudformation_refuses_another() -> None:
    text = b"Parameters:\n  P: {Type: CommaDelimitedList}\n  Q: {Type: CommaDelimitedList, Default: a}\n"
    declared = read(with_defaults(text, {"P": "us-east-1,eu-west-1", "Q": ""}, "t.yaml").decode())[0]["Parameters"]
    assert declared["P"]["AllowedValues"] == ["us-east-1", "eu-west-1"]
    assert declared["Q"]["AllowedValues"] == [""]
    assert not broken_constraint("us-east-1,eu-west-1", declared["P"])
    assert broken_constraint("us-east-1,eu-north-1", declared["P"]) == "must be one of AllowedValues"
    assert not broken_constraint("", declared["Q"])
    assert broken_constraint("us-east-1", declared["Q"]) == "must be one of AllowedValues"


def test_an_empty_default_without_quotes_gets_its_space() -> None:
    text = "Parameters:\n  P:\n    Type: String\n    Default:\n"
    assert with_defaults(text.encode(), {"P": "x"}, "t.yaml", ["P"]).decode() == text.replace(
        "Default:", "Default: 'x'"
    )


def test_a_text_without_a_line_break_at_its_end_gets_a_default() -> None:
    text = "Parameters:\n  P:\n    Type: String"
    after = with_defaults(text.encode(), {"P": "x"}, "t.yaml", ["P"]).decode()
    assert read(after)[0]["Parameters"]["P"] == {"Type": "String", "Default": "x"}


def test_several_defaults_are_set_at_once_in_the_kits_product() -> None:
    text = (ROOT / "templates/30-project.yaml").read_text(encoding="utf-8")
    defaults = {
        "SeedCodeDeployKey": "bundle/1/d.zip",
        "OrganizationalUnitProdId": "ou-ab12-cdefgh34",
        "BundleVersion": "1",
    }
    after = with_defaults(text.encode(), defaults, "30-project.yaml", defaults).decode()
    declared = read(after)[0]["Parameters"]
    assert {name: declared[name]["Default"] for name in defaults} == defaults
    before = text.splitlines()
    added = [line for line in after.splitlines() if line not in before]
    assert all(line.strip().startswith("Default: ") for line in added)
    assert len(added) == len(defaults)


def test_what_organizations_gave_for_an_ous_path_is_said_when_it_is_published() -> None:
    """Another id, of an OU that was made again, makes another version: not without a word."""
    bundle = pack.pack(pack.read_tree(pack.ROOT))
    text = (pack.ROOT / "environment.example.yaml").read_text(encoding="utf-8")
    settings = replace(
        parse(text, "environment.yaml"), units=Units({Stage.STAGING: "ml/staging", Stage.PROD: "ou-ab12-prod2222"})
    )
    ids = {"ml/staging": "ou-ab12-stag1111"}
    published = installation.with_defaults(bundle, settings, "us-east-1", lambda unit, key: ids.get(unit, unit))
    assert list(looked.looked_up(published, settings)) == [
        "units.staging: ml/staging is ou-ab12-stag1111 in the organization"
    ]


def test_a_value_that_the_parameter_does_not_allow_is_refused() -> None:
    text = b"Parameters:\n  P:\n    Type: String\n    AllowedPattern: '[a-z]+'\n"
    with pytest.raises(UserError, match=r"t.yaml: the parameter P does not allow 7 \(AllowedPattern \[a-z\]\+\)"):
        with_defaults(text, {"P": "7"}, "t.yaml")


def test_a_template_that_is_not_yaml_is_refused() -> None:
    with pytest.raises(UserError, match=r"t\.yaml: not valid YAML: "):
        with_defaults(b"Parameters: [", {"P": "7"}, "t.yaml")
