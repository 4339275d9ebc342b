"""Validates dashboards/ against the Grafana schema of the installed version of grafana-foundation-sdk.

Unknown fields, values of the wrong type and unknown enum values are errors. Missing fields are not: Grafana fills in
its defaults.
"""

import copy
import enum
import importlib.metadata
import json
import pathlib
import sys
import types
import typing

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"


def errors(source):
    # The SDK drops fields that it does not know, so a field that is lost in a round trip is unknown.
    read = dashboard.Dashboard.from_json(copy.deepcopy(source))
    yield from lost(source, json.loads(JSONEncoder(sort_keys=True).encode(read)), "")
    yield from mistyped(read, object, "")


def lost(before, after, path):
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is not in the schema"
    elif isinstance(before, list) and isinstance(after, list):
        for index, value in enumerate(before):
            yield from lost(value, after[index], f"{path}[{index}]")


def mistyped(value, hint, path):
    if type(value).__module__.startswith("grafana_foundation_sdk.") and not isinstance(value, enum.Enum):
        hints = typing.get_type_hints(type(value))
        for name, field in vars(value).items():
            yield from mistyped(field, hints.get(name, object), f"{path}.{name}")
    elif isinstance(value, list):
        hints = typing.get_args(hint) if typing.get_origin(hint) is list else (object,)
        for index, item in enumerate(value):
            yield from mistyped(item, hints[0], f"{path}[{index}]")
    if not fits(value, hint):
        yield f"{path} is {value!r}, but should be {hint}"


def fits(value, hint):
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, option) for option in typing.get_args(hint))
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if origin is not None:
        return isinstance(value, origin)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return value in [member.value for member in hint]
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if getattr(hint, "__module__", "").startswith("grafana_foundation_sdk."):
        # The SDK keeps some values as plain mappings, because it has no class for them.
        return isinstance(value, dict) or type(value).__module__.startswith("grafana_foundation_sdk.")
    return not isinstance(hint, type) or isinstance(value, hint)


def self_test(source):
    """Exits if the check accepts a dashboard with a known error."""
    for change in (
        lambda it: it.update(titel=""),
        lambda it: it.update(title=1),
        lambda it: it.update(graphTooltip=7),
        lambda it: it["panels"][1]["gridPos"].update(w="4"),
        lambda it: it["panels"][1]["options"].update(graph="none"),
        lambda it: it["panels"][1]["options"].update(graphMode="nothing"),
        lambda it: it["panels"][1]["targets"][0].update(instant="yes"),
    ):
        broken = copy.deepcopy(source)
        change(broken)
        if not list(errors(broken)):
            sys.exit("the check accepts a dashboard with an error")


def main():
    plugins.register_default_plugins()
    files = sorted(FOLDER.glob("*.json"))
    found = [f"{file.name}: {error}" for file in files for error in errors(json.loads(file.read_text()))]
    if found or not files:
        sys.exit("\n".join(found) or f"{FOLDER}: no dashboards found")
    self_test(json.loads((FOLDER / "overview.json").read_text()))
    print(f"{len(files)} dashboards are valid for the schema of SDK {importlib.metadata.version('grafana-foundation-sdk')}")


main()
