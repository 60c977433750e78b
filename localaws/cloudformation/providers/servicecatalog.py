"""Service Catalog's resource types (CloudFormation Template Reference, "AWS Service Catalog")."""

from __future__ import annotations

import json
from typing import Any

from awslang.errors import NotSupported
from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.shapes import (
    fill,
    only,
    poll,
    retag,
    tag_list,
    tagging,
    undone_by,
    unless,
    without,
)

MISSING = {"ResourceNotFoundException"}
LAUNCH_ROLE = ("RoleArn", "LocalRoleName")


def catalog_of(context: Context) -> Any:
    return context.client("servicecatalog")


def change(context: Context, operation: str, id: str, old: dict[str, Any], new: dict[str, Any], fields: Any) -> None:
    """UpdatePortfolio or UpdateProduct, whose tags are members of the same request."""
    catalog = catalog_of(context)
    tags: dict[str, Any] = {}
    retag(
        context,
        old,
        new,
        lambda added: tags.update(AddTags=tag_list(added)),
        lambda keys: tags.update(RemoveTags=keys),
    )
    given = {name: new.get(name, "") for name in fields if new.get(name) != old.get(name)}
    if given or tags:
        filled = fill(catalog, operation, {**given, "Id": id}, f"AWS::ServiceCatalog: {operation}")
        {"UpdatePortfolio": catalog.update_portfolio, "UpdateProduct": catalog.update_product}[operation](
            **filled, **tags
        )


@provides("AWS::ServiceCatalog::Portfolio")
class Portfolio:
    """Ref gives the portfolio's id."""

    fields = ("DisplayName", "Description", "ProviderName")
    carried = frozenset({*fields, "AcceptLanguage", "Tags"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::ServiceCatalog::Portfolio", properties, self.carried)
        catalog, given = catalog_of(context), properties | tagging(context, properties)
        made = catalog.create_portfolio(**fill(catalog, "CreatePortfolio", given, "AWS::ServiceCatalog::Portfolio"))
        return self._made(made["PortfolioDetail"]["Id"], properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::ServiceCatalog::Portfolio", new, self.carried)
        change(context, "UpdatePortfolio", physical_id, old, new, self.fields)
        return self._made(physical_id, new)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(MISSING, catalog_of(context).delete_portfolio, Id=physical_id)

    def _made(self, id: str, properties: dict[str, Any]) -> Made:
        return Made(id, {"Id": id, "PortfolioName": properties["DisplayName"]})


@provides("AWS::ServiceCatalog::CloudFormationProduct")
class CloudFormationProduct:
    """Ref gives the product's id. Its versions are known by their names, or by their place where they have none."""

    fields = ("Description", "Distributor", "Name", "Owner", "SupportDescription", "SupportEmail", "SupportUrl")
    carried = frozenset({*fields, "AcceptLanguage", "ProductType", "ProvisioningArtifactParameters", "Tags"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::ServiceCatalog::CloudFormationProduct", properties, self.carried)
        catalog = catalog_of(context)
        first, *others = properties["ProvisioningArtifactParameters"]
        given = {"ProductType": "CLOUD_FORMATION_TEMPLATE", **properties, "ProvisioningArtifactParameters": first}
        given |= tagging(context, properties)
        filled = fill(catalog, "CreateProduct", given, "AWS::ServiceCatalog::CloudFormationProduct")
        made = catalog.create_product(**filled)
        id = str(made["ProductViewDetail"]["ProductViewSummary"]["ProductId"])
        with undone_by(lambda: self.delete(context, id, properties)):
            self._loaded(context, id, made["ProvisioningArtifactDetail"]["Id"])
            for version in others:
                self._add(context, id, version)
        return self._made(context, id, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::ServiceCatalog::CloudFormationProduct", new, self.carried)
        change(context, "UpdateProduct", physical_id, old, new, self.fields)
        before, after = old["ProvisioningArtifactParameters"], new["ProvisioningArtifactParameters"]
        gone = [version for version in before if version not in after]
        names = {version.get("Name") for version in after}
        if any(version.get("Name") in names or "Name" not in version for version in gone):
            raise NotSupported("AWS::ServiceCatalog::CloudFormationProduct: a change of a version under its name")
        for version in after:
            if version not in before:
                self._add(context, physical_id, version)
        catalog, ids = catalog_of(context), self._versions(context, physical_id)
        for version in gone:
            catalog.delete_provisioning_artifact(ProductId=physical_id, ProvisioningArtifactId=ids[version["Name"]])
        return self._made(context, physical_id, new)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(MISSING, catalog_of(context).delete_product, Id=physical_id)

    def _add(self, context: Context, id: str, version: dict[str, Any]) -> None:
        catalog, given = catalog_of(context), {"Type": "CLOUD_FORMATION_TEMPLATE", **version}
        request = {"ProductId": id, "Parameters": given}
        filled = fill(catalog, "CreateProvisioningArtifact", request, "AWS::ServiceCatalog::CloudFormationProduct")
        made = catalog.create_provisioning_artifact(**filled)
        self._loaded(context, id, made["ProvisioningArtifactDetail"]["Id"])

    def _loaded(self, context: Context, id: str, version: str) -> None:
        """Wait until the version's template is read; ResourceFailed where it cannot be."""

        def look() -> str:
            asked = {"ProductId": id, "ProvisioningArtifactId": version}
            status = str(catalog_of(context).describe_provisioning_artifact(**asked)["Status"])
            return "" if status == "CREATING" else status

        if poll(context, look) == "FAILED":
            raise ResourceFailed(f"the template of version {version} could not be loaded")

    def _versions(self, context: Context, id: str) -> dict[str, str]:
        listed = catalog_of(context).describe_product_as_admin(Id=id)["ProvisioningArtifactSummaries"]
        return {str(version["Name"]): str(version["Id"]) for version in listed}

    def _made(self, context: Context, id: str, properties: dict[str, Any]) -> Made:
        versions = self._versions(context, id)
        return Made(
            id,
            {
                "Id": id,
                "ProductName": properties["Name"],
                "ProvisioningArtifactIds": ",".join(versions.values()),
                "ProvisioningArtifactNames": ",".join(versions),
            },
        )


class Association:
    """Two things that belong together: every property is create-only."""

    type = ""
    verbs = ("", "")
    members: tuple[str, ...] = ()
    carried: frozenset[str] = frozenset()

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only(self.type, properties, self.carried)
        getattr(catalog_of(context), self.verbs[0])(**without(properties, "AcceptLanguage"))
        return Made("|".join(str(properties[name]) for name in self.members))

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        return Made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(MISSING, getattr(catalog_of(context), self.verbs[1]), **without(properties, "AcceptLanguage"))


@provides("AWS::ServiceCatalog::PortfolioProductAssociation")
class PortfolioProductAssociation(Association):
    type = "AWS::ServiceCatalog::PortfolioProductAssociation"
    verbs = ("associate_product_with_portfolio", "disassociate_product_from_portfolio")
    members = ("PortfolioId", "ProductId")
    carried = frozenset({*members, "AcceptLanguage"})


@provides("AWS::ServiceCatalog::PortfolioPrincipalAssociation")
class PortfolioPrincipalAssociation(Association):
    type = "AWS::ServiceCatalog::PortfolioPrincipalAssociation"
    verbs = ("associate_principal_with_portfolio", "disassociate_principal_from_portfolio")
    members = ("PortfolioId", "PrincipalARN")
    carried = frozenset({*members, "PrincipalType", "AcceptLanguage"})


@provides("AWS::ServiceCatalog::TagOptionAssociation")
class TagOptionAssociation(Association):
    type = "AWS::ServiceCatalog::TagOptionAssociation"
    verbs = ("associate_tag_option_with_resource", "disassociate_tag_option_from_resource")
    members = ("TagOptionId", "ResourceId")
    carried = frozenset(members)


class Constraint:
    """Ref gives the constraint's id.

    kind: as the API calls it; members: the properties that make its parameters
    """

    kind = ""
    type = ""
    members: tuple[str, ...] = ()

    @property
    def carried(self) -> frozenset[str]:
        return frozenset({"AcceptLanguage", "Description", "PortfolioId", "ProductId", *self.members})

    def parameters(self, properties: dict[str, Any]) -> str:
        return json.dumps({name: properties[name] for name in self.members if properties.get(name)})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only(self.type, properties, self.carried)
        given = without(properties, "AcceptLanguage", *self.members) | {"Parameters": self.parameters(properties)}
        made = catalog_of(context).create_constraint(Type=self.kind, **given)
        return Made(made["ConstraintDetail"]["ConstraintId"], {"Id": made["ConstraintDetail"]["ConstraintId"]})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only(self.type, new, self.carried)
        given = {"Description": new.get("Description", ""), "Parameters": self.parameters(new)}
        catalog_of(context).update_constraint(Id=physical_id, **given)
        return Made(physical_id, {"Id": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(MISSING, catalog_of(context).delete_constraint, Id=physical_id)


@provides("AWS::ServiceCatalog::LaunchRoleConstraint")
class LaunchRoleConstraint(Constraint):
    kind, type, members = "LAUNCH", "AWS::ServiceCatalog::LaunchRoleConstraint", LAUNCH_ROLE


@provides("AWS::ServiceCatalog::LaunchTemplateConstraint")
class LaunchTemplateConstraint(Constraint):
    kind, type, members = "TEMPLATE", "AWS::ServiceCatalog::LaunchTemplateConstraint", ("Rules",)

    def parameters(self, properties: dict[str, Any]) -> str:
        """The property is the rules in JSON, or the whole of the parameters."""
        try:
            given = json.loads(properties["Rules"])
        except ValueError as error:
            raise ResourceFailed(f"Rules are not JSON: {error}") from error
        return json.dumps(given if set(given) == {"Rules"} else {"Rules": given})


@provides("AWS::ServiceCatalog::TagOption")
class TagOption:
    """Ref gives the TagOption's id. Inactive ones are not supported: nothing of a launch would use them."""

    carried = frozenset({"Key", "Value"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::ServiceCatalog::TagOption", properties, self.carried)
        made = catalog_of(context).create_tag_option(Key=properties["Key"], Value=properties["Value"])
        return Made(made["TagOptionDetail"]["Id"], {"Id": made["TagOptionDetail"]["Id"]})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::ServiceCatalog::TagOption", new, self.carried)
        return Made(physical_id, {"Id": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(MISSING, catalog_of(context).delete_tag_option, Id=physical_id)
