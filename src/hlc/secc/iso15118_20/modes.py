"""What the messages of AC and DC have alike in ISO 15118-20: the types that go with a selected service, and no others,
and what the control modes say of a battery."""

from __future__ import annotations

from typing import Any, NamedTuple

from exi.messages.iso15118_20.types import RationalNumber, ResponseCode
from hlc.flow import Refusal
from hlc.rules import Kind


class Types(NamedTuple):
    """The types of a service. Those of BPT, where energy may flow back, are derived from the others: a type is meant to
    the letter. [V2G20-1600]"""

    parameters: Kind
    scheduled: Kind
    dynamic: Kind

    def check_parameters(self, said: Any) -> None:
        """Judge the parameters of a vehicle by their type. Raises `Refusal`."""
        if type(said) is not self.parameters:
            text = f"{type(said).__name__} instead of {self.parameters.__name__}"
            raise Refusal(ResponseCode.FAILED_WrongChargeParameter, text, "V2G20-1619")

    def check_mode(self, said: Any, *, dynamic: bool) -> None:
        """Judge a control mode in the charge loop by its type. Raises `Refusal`."""
        expected = self.dynamic if dynamic else self.scheduled
        if type(said) is not expected:
            text = f"{type(said).__name__} instead of {expected.__name__}"
            raise Refusal(ResponseCode.FAILED, text, "V2G20-1600")


def least_energy(mode: Any) -> RationalNumber:
    """What the battery is to have at least before anything is taken from it, in dynamic control: a vehicle may tell two
    limits, for itself and for others."""
    for_others: RationalNumber | None = getattr(mode, "EVMinimumV2XEnergyRequest", None)
    least: RationalNumber = mode.EVMinimumEnergyRequest
    return least if for_others is None else for_others
