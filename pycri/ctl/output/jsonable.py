"""CRI messages as JSON values, as protobuf's JSON mapping has them."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_LONG = {
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT64,
}


def jsonable(message: Message) -> dict[str, Any]:
    """lowerCamelCase keys in the message's order, with defaults; messages and optional fields only if set.

    64-bit numbers are strings and bytes are base64, since that is the mapping's way.
    """
    return {
        field.json_name: _value(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def every_field(message: Message) -> dict[str, Any]:
    """As ``jsonable``, but a field of this message itself that is not set is there too, as null."""
    return {field.json_name: None for field in message.DESCRIPTOR.fields} | jsonable(message)


def set_fields(message: Message) -> dict[str, Any]:
    """The fields that are not at their default, under their names in the proto and with plain numbers."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.cpp_type != FieldDescriptor.CPPTYPE_MESSAGE:
            found[field.name] = value if not field.is_repeated else list(value)
        elif field.is_repeated:
            found[field.name] = [set_fields(item) for item in value]
        else:
            found[field.name] = set_fields(value)
    return found


def dumps(value: Any, *, sort: bool = False) -> str:
    """Indented, as it goes to the terminal."""
    return json.dumps(value, indent=2, sort_keys=sort, ensure_ascii=False)


def _value(field: FieldDescriptor, value: Any) -> Any:
    if not field.is_repeated:
        return _scalar(field, value)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        kind = field.message_type.fields_by_name["value"]
        return {str(key): _scalar(kind, value[key]) for key in sorted(value)}
    return [_scalar(field, item) for item in value]


def _scalar(field: FieldDescriptor, value: Any) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        return jsonable(value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    if field.cpp_type in _LONG:
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
