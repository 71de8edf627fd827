"""What the fuzzer has found worth keeping, through both engines. `make fuzz` looks for more; see campaign.py."""

from __future__ import annotations

import pytest

import corpus
import exi
from agreement import compare
from exi.codec import FORMS


@pytest.mark.parametrize("name", exi.schema_names())
def test_both_engines_agree(name: str) -> None:
    """Each input is read in every form, written, and read again."""
    inputs = [*corpus.load(name), *(found for found in corpus.fixed() if found.schema == name)]
    for found in inputs:
        for form in FORMS:
            compare(name, found.data, found.fragment, form)


def test_corpus_is_readable_and_small() -> None:
    """Text that a change can be seen in, for schemas that there are."""
    files = {path.stem: path for path in corpus.CORPUS.glob("*.txt")}
    assert set(files) - {corpus.FIXED} <= set(exi.schema_names())
    assert sum(path.stat().st_size for path in files.values()) < 300_000
    for found in corpus.everything():
        assert corpus.unpack(found.pack()) == found
        assert corpus.parse(found.schema, found.line()) == found
