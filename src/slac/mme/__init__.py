"""HomePlug management messages: their formats, one declaration each, and the frames around them."""

from slac.mme.frame import Mme, make, parse
from slac.mme.header import MmeError

__all__ = ["Mme", "MmeError", "make", "parse"]
