"""JSON schemas of the pydantic models that our API reads and writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from ricochet.values import money
from ricochet.values.entity import ANSWERED, Model, fields_with

Mode = Literal["validation", "serialization"]
_NULL = {"type": "null"}
_BOUNDS = {"ge": "minimum", "le": "maximum"}


def schemas_of(models: Iterable[tuple[type[BaseModel], Mode]]) -> dict[str, Any]:
    """Return the schemas of the models and their parts, by name. Raise ValueError if two share a name."""
    wanted = list(dict.fromkeys(models))
    _, document = models_json_schema(wanted, ref_template=reference("{model}")["$ref"], schema_generator=_Schemas)
    found = document.get("$defs", {})
    unclear = [name for name in found if "__" in name or name.endswith(("-Input", "-Output"))]
    if unclear:
        raise ValueError(f"two models share a name: {', '.join(unclear)}; give one of them another")
    return {name: _tidy(schema) for name, schema in found.items()}


def reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def name_of(model: type[BaseModel]) -> str:
    """Return the name of a model's schema: that of `ProductView` is `Product`."""
    return model.__name__.removesuffix("View")


class _Schemas(GenerateJsonSchema):
    def normalize_name(self, name: str) -> str:
        return super().normalize_name(name).removesuffix("View")

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the names suffice
        return False

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:  # noqa: ARG002 - all are money
        """Amounts may be sent as numbers or as text, and are never negative."""
        number = {"type": "number", "minimum": 0, "exclusiveMaximum": int(money.LIMIT)}
        return {"anyOf": [number, {"type": "string", "pattern": rf"^\d{{1,9}}(\.\d{{1,{money.DECIMALS}}})?$"}]}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        if self.mode == "serialization" and "properties" in made:
            _as_shown(made, schema["cls"])
        return made


def _as_shown(made: JsonSchemaValue, model: type[Model]) -> None:
    """Keep exactly the fields of an answer: a None is left out if it is the default, and null otherwise."""
    shown = {field.alias or name: field for name, field in fields_with(model, ANSWERED).items()}
    made["properties"] = {
        name: never_null(made["properties"][name]) if _may_be_absent(field) else made["properties"][name]
        for name, field in shown.items()
    }
    for schema in made["properties"].values():
        schema.pop("default", None)
    is_complete = model.model_config.get("json_schema_serialization_defaults_required", False)
    made["required"] = [name for name, field in shown.items() if is_complete or not _may_be_absent(field)]
    made["additionalProperties"] = False


def _may_be_absent(field: FieldInfo) -> bool:
    return not field.is_required() and field.default is None


def never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the same schema for a field that is left out if it has no value."""
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    kinds = [kind for kind in schema.get("anyOf", []) if kind != _NULL]
    if len(kinds) > 1:
        return rest | {"anyOf": kinds}
    return {**rest, **kinds[0]} if kinds else rest


def _tidy(schema: Any) -> Any:
    """Drop pydantic's redundant keys, and move the bounds of an amount into its schemas."""
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {name: _tidy(value) for name, value in schema.items() if not _is_redundant(name, value)}
    if tidy.get("anyOf") == [{"type": "integer"}, {"type": "number"}]:
        del tidy["anyOf"]
        tidy["type"] = "number"
    bounds = {_BOUNDS[key]: float(tidy.pop(key)) for key in _BOUNDS if key in tidy}
    if bounds:
        number, text = tidy["anyOf"]
        tidy["anyOf"] = [number | bounds, text]
    return tidy


def _is_redundant(name: str, value: Any) -> bool:
    return (name == "title" and isinstance(value, str)) or (name == "default" and value is None)
