"""XML schemas (XSD) as a small model that can be compared: `XsdReader(load(path)).model`.

It understands what the schemas of V2G use and refuses everything else. `damages` changes XSDs, to prove that a
comparison of models sees the change.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from exi.declare import UNBOUNDED

# The model. Names are those of `xml.etree.ElementTree`: {namespace}local.


class Simple(NamedTuple):
    """A simple type. The bounds are those of a number, or of the length of anything else."""

    kind: str
    minimum: int | None = None
    maximum: int | None = None
    values: tuple[str, ...] = ()
    name: str = ""
    """Where it is from, to say where a difference is; not compared."""


class Leaf(NamedTuple):
    """An element in a content model, or a wildcard: its type is `##any` or `##other` then."""

    name: str
    type: Simple | str
    ref: bool = False
    minimum: int = 1
    maximum: int = 1

    @property
    def wildcard(self) -> bool:
        return self.type in ("##any", "##other")


class Group(NamedTuple):
    """A sequence or a choice."""

    kind: str
    parts: tuple[Leaf | Group, ...]
    minimum: int = 1
    maximum: int = 1


class Attribute(NamedTuple):
    name: str
    type: Simple
    required: bool


class Complex(NamedTuple):
    """A complex type. `content` and `attributes` are what it adds to its base."""

    base: str | None
    mixed: bool
    text: Simple | None
    attributes: tuple[Attribute, ...]
    content: tuple[Leaf | Group, ...]


@dataclass
class Model:
    """A schema set. The type of an element is a simple one or the name of a complex one."""

    namespaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    elements: dict[str, Simple | str] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    """The substitution group of every global element, itself included."""
    types: dict[str, Complex] = field(default_factory=dict)
    enumerations: dict[tuple[str, ...], str] = field(default_factory=dict)
    """The name of every enumeration by its values, whether something has it or not."""
    roots: set[str] = field(default_factory=set)


def clark(uri: str, local: str) -> str:
    return f"{{{uri}}}{local}" if uri else local


def local(name: str) -> str:
    return name.rpartition("}")[2]


def namespace(name: str) -> str:
    return name.rpartition("}")[0].removeprefix("{") or "none"


def group(kind: str, parts: Iterable[Leaf | Group], minimum: int = 1, maximum: int = 1) -> Leaf | Group:
    """A group in the one form that all spellings of the same content have: no group in vain, wildcards come last in
    a choice, as they do in EXI."""
    flat: list[Leaf | Group] = []
    for part in parts:
        if isinstance(part, Group) and part.kind == kind and (part.minimum, part.maximum) == (1, 1):
            flat += part.parts
        else:
            flat.append(part)
    if kind == "choice":
        flat.sort(key=lambda part: isinstance(part, Leaf) and part.wildcard)
    if len(flat) == 1:
        (only,) = flat
        if (minimum, maximum) == (1, 1):
            return only
        if (only.minimum, only.maximum) == (1, 1):
            return only._replace(minimum=minimum, maximum=maximum)
    return Group(kind, tuple(flat), minimum, maximum)


def content(*parts: Leaf | Group) -> tuple[Leaf | Group, ...]:
    """The parts of the sequence that a type's content is."""
    whole = group("sequence", parts)
    if isinstance(whole, Group) and (whole.kind, whole.minimum, whole.maximum) == ("sequence", 1, 1):
        return whole.parts
    return (whole,)


def leaves(parts: Iterable[Leaf | Group]) -> Iterator[Leaf]:
    for part in parts:
        if isinstance(part, Group):
            yield from leaves(part.parts)
        else:
            yield part


# The model of an XSD

XS: Final = "{http://www.w3.org/2001/XMLSchema}"

KNOWN: Final = {
    "schema": "targetNamespace elementFormDefault attributeFormDefault version",
    "import": "namespace schemaLocation",
    "element": "name ref type minOccurs maxOccurs abstract substitutionGroup",
    "complexType": "name mixed abstract",
    "simpleType": "name",
    "sequence": "minOccurs maxOccurs",
    "choice": "minOccurs maxOccurs",
    "any": "namespace processContents minOccurs maxOccurs",
    "attribute": "name type use",
    "complexContent": "",
    "simpleContent": "",
    "extension": "base",
    "restriction": "base",
    **dict.fromkeys(("enumeration", "length", "minLength", "maxLength", "minInclusive", "maxInclusive"), "value"),
}
"""What is understood of XSD. An XSD that uses more must not be read as if it did not."""


def built_in_types() -> Iterator[tuple[str, Simple]]:
    yield "boolean", Simple("boolean")
    yield "integer", Simple("integer")
    for name in ("string", "anyURI", "ID", "IDREF"):
        yield name, Simple("string", 0)
    for name in ("hexBinary", "base64Binary"):
        yield name, Simple(name, 0)
    for name, bits in (("Byte", 8), ("Short", 16), ("Int", 32), ("Long", 64)):
        yield name.lower(), Simple("integer", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        yield f"unsigned{name}", Simple("integer", 0, 2**bits - 1)


BUILT_IN: Final = {XS + name: simple for name, simple in built_in_types()}


class Document(NamedTuple):
    """One XSD file."""

    root: ElementTree.Element
    prefixes: dict[str, str]

    @property
    def uri(self) -> str:
        return self.root.attrib["targetNamespace"]

    def resolve(self, name: str) -> str:
        prefix, _, local = name.rpartition(":")
        return clark(self.prefixes[prefix], local)


def load(entry: Path) -> list[Document]:
    """An XSD and all that it imports. Nothing is fetched: an external DTD is not read."""
    documents: dict[Path, Document] = {}
    todo = [entry.resolve()]
    for path in todo:
        if path in documents:
            continue
        prefixes: dict[str, str] = {}
        root = None
        for event, found in ElementTree.iterparse(path, ("start-ns", "start")):
            if event == "start":
                root = found if root is None else root
            else:
                assert root is None, f"{path}: a prefix that is declared below the root is not understood"
                prefixes[found[0]] = found[1]
        assert root is not None
        for element in root.iter():
            for note in element.findall(XS + "annotation"):
                element.remove(note)
        documents[path] = Document(root, prefixes)
        todo += [(path.parent / i.attrib["schemaLocation"]).resolve() for i in root.findall(XS + "import")]
    assert len({document.uri for document in documents.values()}) == len(documents), "one file for each namespace"
    return list(documents.values())


class XsdReader:
    """Makes the model of XSD documents: `XsdReader(documents).model`."""

    def __init__(self, documents: list[Document]) -> None:
        self.model = Model()
        self.globals: dict[tuple[str, str], tuple[ElementTree.Element, Document]] = {}
        for document in documents:
            for element in document.root.iter():
                tag = element.tag.removeprefix(XS)
                unknown = set(element.attrib) - set(KNOWN[tag].split())
                assert not unknown, f"{tag} {element.attrib}"
            for element in document.root:
                if element.tag != XS + "import":
                    key = (element.tag.removeprefix(XS), clark(document.uri, element.attrib["name"]))
                    assert key not in self.globals, f"{key}: twice"
                    self.globals[key] = element, document
        for document in documents:
            self.model.namespaces[document.uri] = {
                "elementFormDefault": document.root.get("elementFormDefault", "unqualified"),
                "attributeFormDefault": document.root.get("attributeFormDefault", "unqualified"),
                "type names": {local(n) for t, n in self.globals if t != "element" and namespace(n) == document.uri},
            }
        heads = {}
        for (tag, name), (element, document) in self.globals.items():
            if tag == "element":
                self.model.elements[name] = self.type_of(element, document)
                if "substitutionGroup" in element.attrib:
                    heads[name] = document.resolve(element.attrib["substitutionGroup"])
            elif tag == "complexType":
                self.model.types[name] = self.complex(element, document)
            else:
                assert tag == "simpleType"
                simple = self.simple(element, document)
                self.model.enumerations[simple.values] = simple.name
        self.model.members = {name: {name} for name in self.model.elements}
        for name in heads:
            head = name
            while head in heads:
                head = heads[head]
                self.model.members[head].add(name)
        self.model.roots = set(self.model.elements)

    def named(self, name: str) -> Simple | str:
        """The type of a name."""
        if name in BUILT_IN:
            return BUILT_IN[name]
        if ("complexType", name) in self.globals:
            return name
        return self.simple(*self.globals["simpleType", name])

    def type_of(self, element: ElementTree.Element, document: Document) -> Simple | str:
        """The type of an element or attribute. A complex type without a name gets one from its global element."""
        if "type" in element.attrib:
            assert not len(element)
            return self.named(document.resolve(element.attrib["type"]))
        (inner,) = element
        if inner.tag == XS + "simpleType":
            return self.simple(inner, document)
        assert inner.tag == XS + "complexType"
        name = clark(document.uri, f"type of {element.attrib['name']}")
        if name not in self.model.types:
            self.model.types[name] = self.complex(inner, document)
        return name

    def simple(self, element: ElementTree.Element, document: Document) -> Simple:
        (restriction,) = element
        assert restriction.tag == XS + "restriction"
        found = self.named(document.resolve(restriction.attrib["base"]))
        assert isinstance(found, Simple)
        kind, low, high, values, _ = found
        for facet in restriction:
            value = facet.attrib["value"]
            match facet.tag.removeprefix(XS):
                case "enumeration":
                    assert kind in ("string", "enumeration")
                    kind, low, high, values = "enumeration", None, None, (*values, value)
                case "length":
                    low = high = int(value)
                case "minLength" | "minInclusive":
                    low = int(value) if low is None else max(low, int(value))
                case "maxLength" | "maxInclusive":
                    high = int(value) if high is None else min(high, int(value))
                case other:
                    raise ValueError(f"{other} in a simple type")
        return Simple(kind, low, high, values, element.get("name", ""))

    def complex(self, element: ElementTree.Element, document: Document) -> Complex:
        mixed = element.get("mixed") == "true"
        base: str | None = None
        text: Simple | None = None
        attributes: list[Attribute] = []
        parts: list[Leaf | Group] = []
        body = element
        if len(element) and element[0].tag in (XS + "complexContent", XS + "simpleContent"):
            ((body,),) = element
            assert body.tag == XS + "extension"
            extended = self.named(document.resolve(body.attrib["base"]))
            if element[0].tag == XS + "simpleContent":
                assert isinstance(extended, Simple)
                text = extended
            else:
                assert isinstance(extended, str)
                base = extended
        for child in body:
            if child.tag == XS + "attribute":
                attributes.append(self.attribute(child, document))
            else:
                assert not [*parts, *attributes], "one content model, before the attributes"
                parts.append(self.particle(child, document))
        return Complex(base, mixed, text, tuple(attributes), content(*parts))

    def attribute(self, element: ElementTree.Element, document: Document) -> Attribute:
        qualified = document.root.get("attributeFormDefault") == "qualified"
        found = self.type_of(element, document)
        assert isinstance(found, Simple)
        use = element.get("use", "optional")
        assert use in ("optional", "required")
        return Attribute(clark(document.uri if qualified else "", element.attrib["name"]), found, use == "required")

    def particle(self, element: ElementTree.Element, document: Document) -> Leaf | Group:
        minimum, most = int(element.get("minOccurs", "1")), element.get("maxOccurs", "1")
        maximum = UNBOUNDED if most == "unbounded" else int(most)
        match element.tag.removeprefix(XS):
            case "sequence" | "choice" as kind:
                return group(kind, [self.particle(child, document) for child in element], minimum, maximum)
            case "any":
                assert element.get("namespace") in ("##any", "##other")
                return Leaf("any", element.attrib["namespace"], False, minimum, maximum)
            case "element" if "ref" in element.attrib:
                assert set(element.attrib) <= {"ref", "minOccurs", "maxOccurs"}
                name = document.resolve(element.attrib["ref"])
                return Leaf(name, self.type_of(*self.globals["element", name]), True, minimum, maximum)
            case "element":
                qualified = document.root.get("elementFormDefault") == "qualified"
                name = clark(document.uri if qualified else "", element.attrib["name"])
                assert "type" in element.attrib or element[0].tag == XS + "simpleType"
                return Leaf(name, self.type_of(element, document), False, minimum, maximum)
            case other:
                raise ValueError(f"{other} in a content model")


# Damage


class Damage(NamedTuple):
    """A change of one element of an XSD, made by `do`."""

    what: str
    word: str
    """What a difference that is found must name."""
    element: ElementTree.Element
    do: Callable[[], object]

    def done(self, compare: Callable[[], list[str]]) -> list[str]:
        """What a comparison finds while the damage is done."""
        element = self.element
        tag, attributes, children = element.tag, dict(element.attrib), list(element)
        self.do()
        try:
            return compare()
        finally:
            element.tag, element[:] = tag, children
            element.attrib.clear()
            element.attrib.update(attributes)


Change = tuple[str, str, Callable[[], object]]
"""What is changed, the word for it, how."""

PARTICLES: Final = (XS + "element", XS + "any", XS + "sequence", XS + "choice")


def damages(documents: list[Document]) -> Iterator[Damage]:
    """Every single damage that a tool can think of and that makes a difference."""
    named = {
        document.resolve(element.attrib[key])
        for document in documents
        for element in document.root.iter()
        for key in ("type", "base", "ref", "substitutionGroup")
        if key in element.attrib
    }
    for document in documents:
        for change in changes_of_schema(document, named):
            yield Damage(f"{document.uri}: {change[0]}", change[1], document.root, change[2])
        for top in document.root:
            name = top.get("name", "")
            if top.tag == XS + "simpleType" and clark(document.uri, name) not in named:
                continue  # no element uses it
            for element in top.iter():
                word = element.get("name") or element.get("ref", "").rpartition(":")[2] or name
                for change in changes_of(element, document, top, word.removesuffix("Type")):
                    what = f"{document.uri} {name}: {element.tag.removeprefix(XS)} {dict(element.attrib)}: {change[0]}"
                    yield Damage(what, change[1], element, change[2])


def changes_of_schema(document: Document, named: set[str]) -> Iterator[Change]:
    root = document.root
    for key in ("elementFormDefault", "attributeFormDefault"):
        value = "unqualified" if root.get(key) == "qualified" else "qualified"
        yield key, document.uri, partial(root.set, key, value)
    for tag in ("complexType", "element"):
        extra = ElementTree.Element(XS + tag, name="Extra")
        if tag == "element":
            ElementTree.SubElement(extra, XS + "complexType")
        yield f"{tag} more", "Extra", partial(root.append, extra)
    for top in root:
        name = top.get("name", "")
        if top.tag in (XS + "element", XS + "complexType") and clark(document.uri, name) not in named:
            yield f"without {name}", name.removesuffix("Type"), partial(root.remove, top)


def changes_of(
    element: ElementTree.Element, document: Document, top: ElementTree.Element, word: str
) -> Iterator[Change]:
    """Changes of one element within a global declaration, `top`."""
    xs = next(prefix + ":" * bool(prefix) for prefix, uri in document.prefixes.items() if uri == namespace(XS))
    tag = element.tag.removeprefix(XS)
    if element.tag in PARTICLES and element is not top and (len(element) or tag in ("element", "any")):
        yield "minOccurs", word, partial(element.set, "minOccurs", "1" if element.get("minOccurs") == "0" else "0")
        yield "maxOccurs", word, partial(element.set, "maxOccurs", "7")
    if tag in ("element", "attribute"):
        if "name" in element.attrib and element is not top:
            yield "name", word, partial(element.set, "name", f"{word}X")
        if "type" in element.attrib:
            other = "string" if element.attrib["type"] == f"{xs}boolean" else "boolean"
            yield "type", word, partial(element.set, "type", xs + other)
    match tag:
        case "element" if "substitutionGroup" in element.attrib:
            yield "no member", word, partial(element.attrib.pop, "substitutionGroup")
        case "attribute":
            other = "optional" if element.get("use") == "required" else "required"
            yield "use", word, partial(element.set, "use", other)
        case "any":
            other = "##any" if element.get("namespace") == "##other" else "##other"
            yield "namespace", word, partial(element.set, "namespace", other)
        case "complexType" if element.find(XS + "simpleContent") is None:
            other = "false" if element.get("mixed") == "true" else "true"
            yield "mixed", word, partial(element.set, "mixed", other)
        case "extension":
            other = f"{xs}boolean" if top.find(XS + "simpleContent") is not None else top.attrib["name"]
            yield "base", word, partial(element.set, "base", other)
        case "restriction" if not len(element):
            yield "base", "boolean", partial(element.set, "base", f"{xs}boolean")
        case "enumeration":
            value = element.attrib["value"] + "X"
            yield "value", value, partial(element.set, "value", value)
        case _ if "value" in element.attrib:
            value = str(int(element.attrib["value"]) + (1 if tag.startswith("min") else -1))
            yield "value", value, partial(element.set, "value", value)
    if tag in ("sequence", "choice", "restriction"):
        yield from changes_of_order(element, word, xs)


def changes_of_order(element: ElementTree.Element, word: str, xs: str) -> Iterator[Change]:
    """Children that are more, missing, in another order, or in another kind of group."""
    children = [child for child in element if child.tag in (*PARTICLES, XS + "enumeration")]
    for place, child in enumerate(children):
        its = child.get("value") or child.get("name") or child.get("ref", "").rpartition(":")[2] or word
        yield f"without {its}", its, partial(element.remove, child)
        after = children[place + 1 : place + 2]
        if after and not (element.tag == XS + "choice" and XS + "any" in (child.tag, after[0].tag)):
            order = [*children[:place], *after, child, *children[place + 2 :]]
            yield f"{its} after the next", its, partial(element.__setitem__, slice(None), order)
    if element.tag == XS + "restriction":
        return
    extra = ElementTree.Element(XS + "element", name="Extra", type=f"{xs}boolean")
    yield "an element more", "Extra", partial(element.append, extra)
    if len(children) > 1:
        kind = XS + ("choice" if element.tag == XS + "sequence" else "sequence")
        yield "kind", word, partial(setattr, element, "tag", kind)
