"""Holds dashboards/ to Grafana's schema, as the grafana-foundation-sdk that is installed has it for one version.

A field that the schema does not know, a value of another type and a word that is not one of its list are faults.
A field that is missing is none: Grafana fills in its default.
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


def faults(written):
    # The SDK reads what it knows and drops the rest, so what does not come out again is unknown.
    read = dashboard.Dashboard.from_json(copy.deepcopy(written))
    yield from lost(written, json.loads(JSONEncoder(sort_keys=True).encode(read)), "")
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
        of = typing.get_args(hint) if typing.get_origin(hint) is list else (object,)
        for index, item in enumerate(value):
            yield from mistyped(item, of[0], f"{path}[{index}]")
    if not fits(value, hint):
        yield f"{path} is {value!r}, but should be {hint}"


def fits(value, hint):
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in typing.get_args(hint))
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if origin is not None:
        return isinstance(value, origin)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return value in [one.value for one in hint]
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if getattr(hint, "__module__", "").startswith("grafana_foundation_sdk."):
        # The SDK leaves some as they are written, and has no class for each that it allows.
        return isinstance(value, dict) or type(value).__module__.startswith("grafana_foundation_sdk.")
    return not isinstance(hint, type) or isinstance(value, hint)


def must_object(written):
    """Ends the program if a fault of each kind passes."""
    for change in (
        lambda it: it.update(titel=""),
        lambda it: it.update(title=1),
        lambda it: it.update(graphTooltip=7),
        lambda it: it["panels"][1]["gridPos"].update(w="4"),
        lambda it: it["panels"][1]["options"].update(graph="none"),
        lambda it: it["panels"][1]["options"].update(graphMode="nothing"),
        lambda it: it["panels"][1]["targets"][0].update(instant="yes"),
    ):
        broken = copy.deepcopy(written)
        change(broken)
        if not list(faults(broken)):
            sys.exit("a fault passes, so this check is worth nothing")


def main():
    plugins.register_default_plugins()
    files = sorted(FOLDER.glob("*.json"))
    found = [f"{file.name}: {fault}" for file in files for fault in faults(json.loads(file.read_text()))]
    if found or not files:
        sys.exit("\n".join(found) or f"no dashboards in {FOLDER}")
    must_object(json.loads((FOLDER / "overview.json").read_text()))
    print(f"{len(files)} dashboards are as the SDK {importlib.metadata.version('grafana-foundation-sdk')} says")


main()
