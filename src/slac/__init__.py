"""HomePlug Green PHY: from the plug to a network of two (ISO 15118-3, DIN SPEC 70121).

`parse` gives the `Mme` in an Ethernet frame, or `MmeError`; `make` a frame to send; `keys` derives NMK, DAK and NID.
"""

from slac import keys
from slac.mme import Mme, MmeError, make, parse

__all__ = ["Mme", "MmeError", "keys", "make", "parse"]
