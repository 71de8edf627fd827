"""What `hlc modem` takes of its words."""

from __future__ import annotations

import pytest

from hlc.cli import main, parser_for


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--nmk", "00"], "'00' has 1 octet; it takes 16"),
        (["--nmk", "00" * 15], f"{'00' * 15!r} has 15 octets; it takes 16"),
        (["--nmk", "key"], "'key' is not hexadecimal"),
        (["--nid", "0102"], "'0102' has 2 octets; it takes 7"),
        (["--nid", "ffffffffffffff"], "it has 54 bits, so its last octet is 3F at most"),
        (["--password", ""], "'' is no password"),
        (["--password", "Schlüssel123"], "'Schlüssel123' is no password"),
        (["--password", "x", "--nmk", "00" * 16], "not allowed with argument"),
    ],
)
def test_keys_that_are_none(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["modem", "eth1", "set-key", *words])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


def test_a_key_and_its_network() -> None:
    words = ["modem", "eth1", "set-key", "--nmk", "00:11:22:33" * 4, "--nid", "FFFFFFFFFFFF3F"]
    options = parser_for(words).parse_args(words)
    assert options.nmk == bytes.fromhex("00112233" * 4)
    assert options.nid == b"\xff" * 6 + b"\x3f"
