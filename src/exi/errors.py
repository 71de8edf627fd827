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
        where = f"{path} at bit {bit}".lstrip() if bit is not None else path
        super().__init__(f"{where}: {reason}" if where else reason)


class DecodeError(ExiError):
    """The input is no document of the schema. The message that was being read is lost; the session need not be."""


class EncodeError(ExiError):
    """A message that the schema forbids: the path, the value and the rule."""
