"""The errors of the codec, with the place where they happened."""

from __future__ import annotations


class ExiError(Exception):
    """Base of the codec's errors.

    `path` is the place in the message ("V2G_Message.Body.CurrentDemandReq.DC_EVStatus.EVRESSSOC"); `bit` the offset,
    in bits from the first bit of the document, at which the value or event code began, or None where there is none;
    `reason` what is wrong there.
    """

    def __init__(self, path: str, reason: str, bit: int | None = None) -> None:
        self.path = path
        self.reason = reason
        self.bit = bit
        super().__init__(path, reason, bit)

    def __str__(self) -> str:
        where = f"{self.path} at bit {self.bit}".lstrip() if self.bit is not None else self.path
        return f"{where}: {self.reason}" if where else self.reason


class DecodeError(ExiError):
    """The input is no document of the schema. The message that was being read is lost; the session need not be."""


class EncodeError(ExiError):
    """A message that the schema forbids: the path, the value and the rule."""
