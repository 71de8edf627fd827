"""The vocabulary in which messages are declared.

A message module under `exi.messages` reads like its schema: one `Namespace` per target namespace, one class per
type or global element, one annotation per facet. Nothing is compiled here; `exi.compiler` reads the declarations
when a schema is first used.

    DATA = Namespace("urn:din:70121:2012:MsgDataTypes", prefix="dt")
    MeterID = Annotated[str, String(32)]

    @DATA.type
    class MeterInfo(Message, kw_only=True):
        MeterID: MeterID
        MeterReading: PhysicalValue | None = None

| declaration | schema |
|---|---|
| `X` | an element that occurs once |
| `X | None = None` | minOccurs="0" |
| `Annotated[list[X], occurs(1, 6)]` | a repeated element |
| `Annotated[..., attribute]` | an attribute |
| `Annotated[..., ref]` | `<element ref="...">`: name and namespace are those of the referenced element |
| `Annotated[..., choice("name")]` | neighbours of the same name are the branches of one `<choice>` |
| `Annotated[..., simple_content]` | the text of an element that also has attributes |
| `Annotated[list[A | B], occurs(0)]` | a repeated choice of elements |
| `Annotated[list[A | B | str], occurs(0), mixed]` | the same with mixed content: the `str` items |
| `@NS.element`, `@NS.type` | a global element and its type; a type only |
| a subclass that is an element | a member of the substitution group of its bases that are elements |
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, NamedTuple, TypeVar

import msgspec

UNBOUNDED: Final = 0xFFFFFFFF
"""maxOccurs="unbounded"."""


class Message(msgspec.Struct, kw_only=True, gc=False):
    """Base of every declared type. Instances are plain data: they hold no cycle, so the collector skips them.

    `CONTENT` is set by the few types whose content model is no plain sequence: names combined by `sequence` and
    `one_of`.
    """

    CONTENT: ClassVar[Group | None] = None


T = TypeVar("T", bound=type[Message])


class Namespace(msgspec.Struct, eq=False):
    """A target namespace and what is declared in it."""

    uri: str
    prefix: str
    """The prefix that `to_xml` writes."""
    qualified: bool = True
    """Whether local elements bear the namespace (elementFormDefault)."""
    qualified_attributes: bool = False
    """Whether attributes do (attributeFormDefault)."""
    type_names: tuple[str, ...] = ()
    """The names of its types, which wildcards need: they stand in EXI's table of names (EXI 1.0, D.3)."""
    classes: list[type[Message]] = []
    elements: list[type[Message]] = []

    def type(self, cls: T) -> T:
        """Declare a type that is no global element."""
        HOME[cls] = self
        self.classes.append(cls)
        return cls

    def element(self, cls: T) -> T:
        """Declare a global element of the class's name, and its type."""
        self.elements.append(cls)
        return self.type(cls)


HOME: Final[dict[type[Message], Namespace]] = {}
"""The namespace of every declared class."""


# Facets of simple types


class Integer(msgspec.Struct, frozen=True):
    """A whole number from `minimum` to `maximum`; None is no bound."""

    minimum: int | None = None
    maximum: int | None = None


class String(msgspec.Struct, frozen=True):
    """Text of `min_length` to `max_length` characters (code points)."""

    min_length: int = 0
    max_length: int | None = None


class Binary(msgspec.Struct, frozen=True):
    """Octets: from `min_length` to `max_length` of them, written as hexadecimal or Base64 in XML."""

    min_length: int = 0
    max_length: int | None = None
    hexadecimal: bool = False


def string(max_length: int | None = None, min_length: int = 0) -> String:
    return String(min_length, max_length)


def hex_binary(max_length: int | None = None, min_length: int = 0) -> Binary:
    return Binary(min_length, max_length, hexadecimal=True)


def base64_binary(max_length: int | None = None, min_length: int = 0) -> Binary:
    return Binary(min_length, max_length)


Byte = Annotated[int, Integer(-(2**7), 2**7 - 1)]
Short = Annotated[int, Integer(-(2**15), 2**15 - 1)]
Int = Annotated[int, Integer(-(2**31), 2**31 - 1)]
Long = Annotated[int, Integer(-(2**63), 2**63 - 1)]
UnsignedByte = Annotated[int, Integer(0, 2**8 - 1)]
UnsignedShort = Annotated[int, Integer(0, 2**16 - 1)]
UnsignedInt = Annotated[int, Integer(0, 2**32 - 1)]
UnsignedLong = Annotated[int, Integer(0, 2**64 - 1)]


# Places of a field


class Marker(msgspec.Struct, frozen=True):
    name: str


attribute: Final = Marker("attribute")
ref: Final = Marker("ref")
simple_content: Final = Marker("simple_content")
mixed: Final = Marker("mixed")


class Occurs(msgspec.Struct, frozen=True):
    minimum: int
    maximum: int


def occurs(minimum: int, maximum: int = UNBOUNDED) -> Occurs:
    return Occurs(minimum, maximum)


class Choice(msgspec.Struct, frozen=True):
    name: str
    optional: bool


def choice(name: str, *, optional: bool = False) -> Choice:
    return Choice(name, optional)


class AnyElement(Message, kw_only=True):
    """A wildcard in a list of alternatives, and an element that came in its place and is not of the schema.

    An element of the schema that comes there is its own message. Names are `{namespace}local`, as in
    `xml.etree.ElementTree`.
    """

    tag: str
    attributes: dict[str, str] = {}
    content: list[Any] = []
    """Text (str), `AnyElement`s, and messages that are global elements of the schema."""


class OtherElement(AnyElement, kw_only=True):
    """A wildcard for elements of other namespaces than the declaring one. What comes there is an `AnyElement`."""


class Element(NamedTuple):
    """An element under a name that its value does not tell: one of several of the same type, or of a simple type.

    `namespace` is needed where several namespaces of the schema have the name.
    """

    name: str
    value: Any
    namespace: str | None = None


# Content models that are no plain sequence


class Group(msgspec.Struct, frozen=True):
    """A part of a content model: `parts` are field names, names of alternatives in a list field, or groups."""

    kind: str
    """"sequence" or "choice"."""
    parts: tuple[str | Group, ...]
    optional: bool = False
    repeat: bool = False


def sequence(*parts: str | Group, optional: bool = False, repeat: bool = False) -> Group:
    """The parts one after the other."""
    return Group("sequence", parts, optional, repeat)


def one_of(*parts: str | Group, optional: bool = False, repeat: bool = False) -> Group:
    """One of the parts."""
    return Group("choice", parts, optional, repeat)


# Schemas


class SchemaSet(msgspec.Struct, frozen=True):
    """A named set of namespaces that is coded with one grammar. `roots` are the documents a session exchanges."""

    name: str
    roots: tuple[type[Message], ...]
    namespaces: tuple[Namespace, ...]
