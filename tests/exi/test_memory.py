"""Decoding takes no more memory than 64 times its input, whatever the input is."""

from __future__ import annotations

import contextlib
import tracemalloc
from typing import Any

import pytest

import exi
from exi.codec import ROOM, Encoder
from exi.declare import AnyElement
from exi.engine import EngineName
from exi.messages import xmldsig as ds

METHOD = "http://www.w3.org/TR/canonical-exi/"
OWN = 16 * 1024
"""What the decoder itself takes, of whatever size the input is."""


def reference(**fields: Any) -> ds.Reference:
    return ds.Reference(DigestMethod=ds.DigestMethod(Algorithm=METHOD), DigestValue=ds.DigestValue(value=b""), **fields)


def signature(references: list[ds.Reference], **fields: Any) -> bytes:
    """A Signature as nobody may write it: the encoder would refuse what is greedy."""
    message = ds.Signature(
        SignedInfo=ds.SignedInfo(
            CanonicalizationMethod=ds.CanonicalizationMethod(Algorithm=METHOD),
            SignatureMethod=ds.SignatureMethod(Algorithm=METHOD),
            Reference=references,
        ),
        SignatureValue=ds.SignatureValue(value=b""),
        **fields,
    )
    grammar = exi.schema("xmldsig").grammar
    (code,) = (c for c, p in enumerate(grammar.document.productions) if p.name[0] == "Signature")
    encoder = Encoder(grammar)
    encoder.cost = -(10**9)
    return encoder.root(code, message, fragment=False)


def key_names(text: str, count: int) -> bytes:
    return signature([reference()], KeyInfo=ds.KeyInfo(content=[ds.KeyName(value=text) for _ in range(count)]))


GREEDY = {
    "objects": signature([reference()], Object=[ds.Object() for _ in range(30_000)]),
    "retrieval methods": signature(
        [reference()], KeyInfo=ds.KeyInfo(content=[ds.RetrievalMethod() for _ in range(20_000)])
    ),
    "transforms": signature(
        [reference(Transforms=ds.Transforms(Transform=[ds.Transform(Algorithm="") for _ in range(10_000)]))]
    ),
    "references": signature([reference() for _ in range(400)]),
    "empty texts": key_names("", 20_000),
    "short texts": key_names("ab", 10_000),
    "wide texts": key_names("\N{ELECTRIC PLUG}", 8_000),
    "long wide text": key_names("x\N{ELECTRIC PLUG}" + 30_000 * "é", 1),
    "mixed texts": signature([reference()], Object=[ds.Object(content=20_000 * ["ä"])]),
    "numbers": signature(
        [reference()],
        KeyInfo=ds.KeyInfo(
            content=[
                ds.X509Data(
                    content=[ds.X509IssuerSerial(X509IssuerName="", X509SerialNumber=n) for n in range(256, 8_000)]
                )
            ]
        ),
    ),
    "unknown elements": signature(
        [reference()], Object=[ds.Object(content=[AnyElement(tag="{u}a") for _ in range(20_000)])]
    ),
    "unknown attributes": signature(
        [reference()],
        Object=[ds.Object(content=[AnyElement(tag="{u}a", attributes={f"b{n}": "" for n in range(4_000)})])],
    ),
}


@pytest.mark.parametrize("name", GREEDY)
def test_memory_is_bounded_by_the_input(name: str, engine: EngineName) -> None:
    data = GREEDY[name]
    schema = exi.schema("xmldsig", engine)
    schema.examine(signature([reference()]))  # compiles the grammar
    message = None
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        with contextlib.suppress(exi.DecodeError):
            message = schema.decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before <= ROOM * len(data) + OWN
    assert message is None or schema.encode(message) == data


def test_what_is_too_greedy_is_named_and_never_written(engine: EngineName) -> None:
    schema = exi.schema("xmldsig", engine)
    with pytest.raises(exi.DecodeError, match=r" at bit \d+: the message would take more than 64 times"):
        schema.decode(GREEDY["objects"])
    message = schema.decode(signature([reference()]))
    message.Object = [ds.Object() for _ in range(1_000)]  # type: ignore[attr-defined]
    with pytest.raises(exi.EncodeError, match="64 times the memory"):
        schema.encode(message)
