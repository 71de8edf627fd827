"""EXI codec for V2G messages: bytes to typed messages and back, without generated code.

    import exi

    schema = exi.schema("din70121")
    message = schema.decode(data)            # bytes of one EXI document -> message object
    data = schema.encode(message)            # the exact bytes, or EncodeError
    text = schema.to_xml(message)
    message = schema.from_xml(text)

Message classes live in `exi.messages`. `exi.engine` names the engine in use, "native" or "python"; the environment
variable OPENHLC_EXI forces one.
"""

from exi.bitmap import Read, Traced
from exi.declare import Element
from exi.engine import Examined, Schema, engine, schema, schema_names
from exi.errors import DecodeError, EncodeError, ExiError

__all__ = [
    "DecodeError",
    "Element",
    "EncodeError",
    "Examined",
    "ExiError",
    "Read",
    "Schema",
    "Traced",
    "engine",
    "schema",
    "schema_names",
]
