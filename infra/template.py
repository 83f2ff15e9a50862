"""Read template.yaml as plain data, with CloudFormation's short tags in their long form."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "template.yaml"

Template = dict[str, Any]


# In C where PyYAML was built with it: ten times as fast.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[misc]
    """A safe loader that knows `!Ref`, `!GetAtt` and every `!Fn`."""


def _intrinsic(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        raise yaml.constructor.ConstructorError(None, None, f"unexpected node under !{suffix}", node.start_mark)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def load(path: Path = TEMPLATE) -> Template:
    """Return the template's document; raises `yaml.YAMLError` on a malformed one."""
    document = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 (a subclass of SafeLoader)
    if not isinstance(document, dict):
        raise yaml.YAMLError(f"{path} is not a template")
    return document


def resources(template: Template, kind: str) -> dict[str, Any]:
    """Return the properties of every resource of a type, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def routes(template: Template) -> dict[str, bool]:
    """Return every route key of the HTTP API (`GET /api/v1/projects`) and whether it asks the authorizer."""
    return {
        route["RouteKey"]: route.get("AuthorizationType", "NONE") != "NONE"
        for route in resources(template, "AWS::ApiGatewayV2::Route").values()
        if route["ApiId"] == {"Ref": "Api"}
    }


def environment(template: Template, function: str) -> dict[str, Any]:
    """Return a function's environment variables as the template writes them, globals included."""
    own = template["Resources"][function]["Properties"].get("Environment", {}).get("Variables", {})
    return {**template["Globals"]["Function"]["Environment"]["Variables"], **own}
