"""XML Signature: every element of the schema `http://www.w3.org/2000/09/xmldsig#` (W3C, 2002).

The header of every message may carry a `Signature`; real sessions use SignedInfo with one Reference per signed
element. Elements of simple type are classes with one field, `value`. Elements with a repeated choice or mixed content
keep their children in `content`, in document order. What stands there for a wildcard is an `AnyElement`, or the message
of a global element; V2G messages are not known to use any.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from exi.declare import (
    AnyElement,
    Group,
    Integer,
    Message,
    Namespace,
    OtherElement,
    SchemaSet,
    attribute,
    base64_binary,
    mixed,
    occurs,
    one_of,
    ref,
    sequence,
    simple_content,
)

DS = Namespace(
    "http://www.w3.org/2000/09/xmldsig#",
    prefix="ds",
    type_names=(
        "CanonicalizationMethodType",
        "CryptoBinary",
        "DSAKeyValueType",
        "DigestMethodType",
        "DigestValueType",
        "HMACOutputLengthType",
        "KeyInfoType",
        "KeyValueType",
        "ManifestType",
        "ObjectType",
        "PGPDataType",
        "RSAKeyValueType",
        "ReferenceType",
        "RetrievalMethodType",
        "SPKIDataType",
        "SignaturePropertiesType",
        "SignaturePropertyType",
        "SignatureType",
        "SignatureValueType",
        "SignatureMethodType",
        "SignedInfoType",
        "TransformType",
        "TransformsType",
        "X509DataType",
        "X509IssuerSerialType",
    ),
)

CryptoBinary = Annotated[bytes, base64_binary()]


@DS.element
class CanonicalizationMethod(Message, kw_only=True):
    """How SignedInfo is brought into canonical form: EXI in all V2G protocols."""

    Algorithm: Annotated[str, attribute]
    content: Annotated[list[AnyElement | str], occurs(0), mixed] = []


@DS.type
class HMACOutputLength(Message, kw_only=True):
    """Bits that are left of a truncated HMAC."""

    value: Annotated[int, Integer(), simple_content]


@DS.element
class SignatureMethod(Message, kw_only=True):
    """How the signature is made."""

    CONTENT: ClassVar[Group | None] = sequence(
        one_of("HMACOutputLength", optional=True), one_of("OtherElement", optional=True, repeat=True)
    )
    Algorithm: Annotated[str, attribute]
    content: Annotated[list[HMACOutputLength | OtherElement | str], occurs(0), mixed] = []


@DS.type
class XPath(Message, kw_only=True):
    """An XPath expression that selects what is signed."""

    value: Annotated[str, simple_content]


@DS.element
class Transform(Message, kw_only=True):
    """One step from the referenced element to the octets that are digested."""

    Algorithm: Annotated[str, attribute]
    content: Annotated[list[OtherElement | XPath | str], occurs(0), mixed] = []


@DS.element
class Transforms(Message, kw_only=True):
    """The steps, in order."""

    Transform: Annotated[list[Transform], occurs(1), ref]


@DS.element
class DigestMethod(Message, kw_only=True):
    """How the digest is made."""

    Algorithm: Annotated[str, attribute]
    content: Annotated[list[OtherElement | str], occurs(0), mixed] = []


@DS.element
class DigestValue(Message, kw_only=True):
    """The digest of a referenced element."""

    value: Annotated[bytes, base64_binary(), simple_content]


@DS.element
class Reference(Message, kw_only=True):
    """One signed element: URI is `#` and its Id."""

    Id: Annotated[str | None, attribute] = None
    Type: Annotated[str | None, attribute] = None
    URI: Annotated[str | None, attribute] = None
    Transforms: Annotated[Transforms | None, ref] = None
    DigestMethod: Annotated[DigestMethod, ref]
    DigestValue: Annotated[DigestValue, ref]


@DS.element
class SignedInfo(Message, kw_only=True):
    """What the signature covers."""

    Id: Annotated[str | None, attribute] = None
    CanonicalizationMethod: Annotated[CanonicalizationMethod, ref]
    SignatureMethod: Annotated[SignatureMethod, ref]
    Reference: Annotated[list[Reference], occurs(1), ref]


@DS.element
class SignatureValue(Message, kw_only=True):
    """The signature's octets."""

    Id: Annotated[str | None, attribute] = None
    value: Annotated[bytes, base64_binary(), simple_content]


@DS.element
class KeyName(Message, kw_only=True):
    """A name by which the verifier knows the key."""

    value: Annotated[str, simple_content]


@DS.element
class MgmtData(Message, kw_only=True):
    """In-band key management; deprecated by its own standard."""

    value: Annotated[str, simple_content]


@DS.element
class DSAKeyValue(Message, kw_only=True):
    """A DSA public key. P and Q go together, and so do Seed and PgenCounter."""

    CONTENT: ClassVar[Group | None] = sequence(
        sequence("P", "Q", optional=True),
        one_of("G", optional=True),
        "Y",
        one_of("J", optional=True),
        sequence("Seed", "PgenCounter", optional=True),
    )
    P: CryptoBinary | None = None
    Q: CryptoBinary | None = None
    G: CryptoBinary | None = None
    Y: CryptoBinary
    J: CryptoBinary | None = None
    Seed: CryptoBinary | None = None
    PgenCounter: CryptoBinary | None = None


@DS.element
class RSAKeyValue(Message, kw_only=True):
    """An RSA public key."""

    Modulus: CryptoBinary
    Exponent: CryptoBinary


@DS.element
class KeyValue(Message, kw_only=True):
    """A public key."""

    CONTENT: ClassVar[Group | None] = one_of("DSAKeyValue", "RSAKeyValue", "OtherElement")
    content: Annotated[list[DSAKeyValue | RSAKeyValue | OtherElement | str], occurs(1), mixed]


@DS.element
class RetrievalMethod(Message, kw_only=True):
    """Where the key is to be had."""

    Type: Annotated[str | None, attribute] = None
    URI: Annotated[str | None, attribute] = None
    Transforms: Annotated[Transforms | None, ref] = None


@DS.type
class X509IssuerSerial(Message, kw_only=True):
    """A certificate by its issuer and number."""

    X509IssuerName: str
    X509SerialNumber: Annotated[int, Integer()]


@DS.type
class X509SKI(Message, kw_only=True):
    """A certificate by its subject key identifier."""

    value: Annotated[bytes, base64_binary(), simple_content]


@DS.type
class X509SubjectName(Message, kw_only=True):
    """A certificate by its subject."""

    value: Annotated[str, simple_content]


@DS.type
class X509Certificate(Message, kw_only=True):
    """A certificate, DER."""

    value: Annotated[bytes, base64_binary(), simple_content]


@DS.type
class X509CRL(Message, kw_only=True):
    """A revocation list, DER."""

    value: Annotated[bytes, base64_binary(), simple_content]


@DS.element
class X509Data(Message, kw_only=True):
    """Certificates, or what names them."""

    content: Annotated[
        list[X509IssuerSerial | X509SKI | X509SubjectName | X509Certificate | X509CRL | OtherElement], occurs(1)
    ]


@DS.element
class PGPData(Message, kw_only=True):
    """An OpenPGP key: its identifier, its packet, or both."""

    CONTENT: ClassVar[Group | None] = one_of(
        sequence(
            "PGPKeyID",
            one_of("PGPKeyPacket", optional=True),
            one_of("OtherElement", optional=True, repeat=True),
        ),
        sequence("PGPKeyPacket", one_of("OtherElement", optional=True, repeat=True)),
    )
    PGPKeyID: Annotated[bytes | None, base64_binary()] = None
    PGPKeyPacket: Annotated[bytes | None, base64_binary()] = None
    content: Annotated[list[OtherElement], occurs(0)] = []


@DS.type
class SPKISexp(Message, kw_only=True):
    """A canonical S-expression."""

    value: Annotated[bytes, base64_binary(), simple_content]


@DS.element
class SPKIData(Message, kw_only=True):
    """SPKI keys and certificates."""

    CONTENT: ClassVar[Group | None] = sequence("SPKISexp", one_of("OtherElement", optional=True), repeat=True)
    content: Annotated[list[SPKISexp | OtherElement], occurs(1)]


@DS.element
class KeyInfo(Message, kw_only=True):
    """The key that verifies the signature; V2G sessions carry it elsewhere."""

    Id: Annotated[str | None, attribute] = None
    content: Annotated[
        list[KeyName | KeyValue | RetrievalMethod | X509Data | PGPData | SPKIData | MgmtData | OtherElement | str],
        occurs(1),
        mixed,
    ]


@DS.element
class Object(Message, kw_only=True):
    """Anything else that travels inside a signature."""

    Encoding: Annotated[str | None, attribute] = None
    Id: Annotated[str | None, attribute] = None
    MimeType: Annotated[str | None, attribute] = None
    content: Annotated[list[AnyElement | str], occurs(0), mixed] = []


@DS.element
class Signature(Message, kw_only=True):
    """A signature over elements of the message that carries it."""

    Id: Annotated[str | None, attribute] = None
    SignedInfo: Annotated[SignedInfo, ref]
    SignatureValue: Annotated[SignatureValue, ref]
    KeyInfo: Annotated[KeyInfo | None, ref] = None
    Object: Annotated[list[Object], occurs(0), ref] = []


@DS.element
class Manifest(Message, kw_only=True):
    """References whose digests the application checks by itself."""

    Id: Annotated[str | None, attribute] = None
    Reference: Annotated[list[Reference], occurs(1), ref]


@DS.element
class SignatureProperty(Message, kw_only=True):
    """A statement about a signature."""

    Id: Annotated[str | None, attribute] = None
    Target: Annotated[str, attribute]
    content: Annotated[list[OtherElement | str], occurs(1), mixed]


@DS.element
class SignatureProperties(Message, kw_only=True):
    """Statements about signatures."""

    Id: Annotated[str | None, attribute] = None
    SignatureProperty: Annotated[list[SignatureProperty], occurs(1), ref]


SCHEMA = SchemaSet("xmldsig", roots=(Signature,), namespaces=(DS,))
