"""The JSON schemas of results/, ready to validate many records quickly."""

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema


@functools.lru_cache(maxsize=None)
def validator(file: Path, part: str = "") -> jsonschema.Draft202012Validator:
    """The validator of a schema file, or of one of its $defs."""
    schema = json.loads(file.read_text(encoding="utf-8"))
    parts = schema.pop("$defs")
    return jsonschema.Draft202012Validator(_in_place(parts[part] if part else schema, parts))


def _in_place(schema: Any, parts: dict[str, Any]) -> Any:
    """The schema with every part where it is referred to: twice as fast as following $ref."""
    if isinstance(schema, list):
        return [_in_place(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _in_place(parts[schema["$ref"].removeprefix("#/$defs/")], parts)
    return {key: _in_place(one, parts) for key, one in schema.items()}
