"""ISO 15118-20, what the vehicle asks in AC and AC_BPT: limits, charge loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from exi.messages.iso15118_20.ac import (
    AC_ChargeLoopReq,
    AC_ChargeLoopRes,
    AC_ChargeParameterDiscoveryReq,
    AC_ChargeParameterDiscoveryRes,
    AC_CPDReqEnergyTransferMode,
    BPT_AC_CPDReqEnergyTransferMode,
    BPT_AC_CPDResEnergyTransferMode,
    BPT_Dynamic_AC_CLReqControlMode,
    BPT_Scheduled_AC_CLReqControlMode,
    Dynamic_AC_CLReqControlMode,
    Scheduled_AC_CLReqControlMode,
)
from exi.messages.iso15118_20.common import ChargeProgress, PowerDeliveryReq, SessionStopReq
from exi.messages.iso15118_20.types import CLReqControlMode
from hlc.evcc.charger import Charger
from hlc.evcc.iso15118_20 import common
from hlc.ports import AcEV, Mode
from hlc.rules import Kind
from hlc.rules.iso15118_20.ac import RULES
from hlc.rules.iso15118_20.services import AC_SINGLE_PHASE
from hlc.rules.iso15118_20.values import maybe, rational, total

if TYPE_CHECKING:
    from hlc.evcc.vehicle import Vehicle


class Conversation(common.Conversation):
    """One session of AC charging in ISO 15118-20 in the vehicle."""

    rules = RULES
    modes = frozenset({Mode.AC, Mode.AC_BPT})
    discovery = AC_ChargeParameterDiscoveryReq
    paces: ClassVar[Mapping[Kind, float]] = {**common.Conversation.paces, AC_ChargeLoopReq: 0.1}

    def __init__(self, vehicle: Vehicle) -> None:
        super().__init__(vehicle)
        self.ev = cast(AcEV, vehicle.ev)
        self.supply = self.supply_back = 0.0
        """What the station can give and take, W in the phases that are used."""
        self.target: float | None = None
        """What the station wants to be drawn; None: it has not said."""
        self.agreed = False
        """Whether the station delivers."""
        self.charger = Charger(self, charging=lambda: self.agreed, wanted=self.wanted)

    def choices(self) -> Mapping[Kind, Callable[[Any, Any], Kind | None]]:
        return {
            **super().choices(),
            AC_ChargeParameterDiscoveryRes: lambda req, res: self.parameters_known(),
            AC_ChargeLoopRes: self.after_charge_loop,
        }

    def requests(self) -> Mapping[Kind, Callable[[], Any]]:
        return {
            **super().requests(),
            AC_ChargeParameterDiscoveryReq: self.charge_parameter_discovery,
            AC_ChargeLoopReq: self.charge_loop,
        }

    # Choices

    def approach(self) -> Kind | None:
        self.ev.lock_connector()
        if not self.ev.connector_locked():
            return None
        self.delivering = True
        return PowerDeliveryReq

    def loop(self) -> Kind:
        self.agreed = True
        return AC_ChargeLoopReq

    def after_charge_loop(self, request: AC_ChargeLoopReq, response: AC_ChargeLoopRes) -> Kind | None:
        resting = self.charger.resting() if self.leaving() else abs(self.wanted()) == 0.0
        return self.after_loop(request, response, resting=resting)

    def stopped(self) -> Kind | None:
        return SessionStopReq

    # What an answer says beside its purpose

    def answered(self, request: Any, response: Any) -> None:
        super().answered(request, response)
        if isinstance(response, AC_ChargeLoopRes):
            said = getattr(response.CLResControlMode, "EVSETargetActivePower", None)
            self.target = None if said is None else total(response.CLResControlMode, "EVSETargetActivePower")
            self.charger.follow()
            self.vehicle.measured()
        elif isinstance(response, AC_ChargeParameterDiscoveryRes):
            mode = response.AC_CPDResEnergyTransferMode
            if isinstance(mode, BPT_AC_CPDResEnergyTransferMode) is not self.bidirectional:
                self.leave(f"the station sends {type(mode).__name__}, which does not fit the service")
            self.supply = self._mine(mode, "EVSEMaximumChargePower")
            self.supply_back = self._mine(mode, "EVSEMaximumDischargePower")
            if not self.supply and not self.supply_back:
                self.leave("the station says that it has no power at all")

    def look(self) -> None:
        super().look()
        self.charger.look()

    def renew(self) -> None:
        super().renew()
        self.agreed, self.target = False, None
        self.forget("mains")

    # Power

    @property
    def phases(self) -> int:
        """Those that are used."""
        return min(self._phases(), self.ev.limits().phases)

    def _mine(self, said: Any, name: str) -> float:
        """A limit of the station in the phases that are used: on one of three it is that of L1, or a third of all."""
        alone = self._phases() == 3 and self.phases == 1
        if alone and getattr(said, f"{name}_L2", None) is not None:
            return max(0.0, maybe(getattr(said, name), 0.0))
        return max(0.0, total(said, name)) / (3 if alone else 1)

    def _phases(self) -> int:
        """Those that the station has: three, unless it says one."""
        chosen = self.choice.chosen
        return 1 if chosen is not None and chosen.terms.connector == AC_SINGLE_PHASE else 3

    def watts(self) -> float:
        limits = self.ev.limits()
        return min(limits.volts * limits.max_amps * self.phases, self.supply)

    def watts_back(self) -> float:
        limits = self.ev.limits()
        return min(limits.volts * limits.max_discharge_amps * self.phases, self.supply_back)

    def wanted(self) -> float:
        """What is drawn now: what the plan or the station says, within what all allow; negative: given back. Less than
        the charger's least is nothing."""
        if self.leaving() or self.standing_by:
            return 0.0
        if self.dynamic:
            watts = self.target or 0.0
        else:
            watts = self.plan.watts(self.vehicle.now) if self.plan is not None else 0.0
            watts = watts if self.target is None else min(watts, self.target)
        limits = self.ev.limits()
        least = limits.volts * limits.min_amps * self.phases
        if watts < 0:
            return max(watts, -self.watts_back()) if self.may_give() else 0.0
        return min(watts, self.watts(), self.ev.target_watts()) if watts >= least else 0.0

    # Requests

    def power_delivery(self, progress: ChargeProgress) -> PowerDeliveryReq:
        if progress is ChargeProgress.Start:
            self.charger.start()
        elif progress is ChargeProgress.Stop:
            self.agreed = False
            self.charger.stop()
        return super().power_delivery(progress)

    def charge_parameter_discovery(self) -> AC_ChargeParameterDiscoveryReq:
        limits = self.ev.limits()
        fields: dict[str, Any] = {
            "EVMaximumChargePower": rational(limits.volts * limits.max_amps * self.phases),
            "EVMinimumChargePower": rational(limits.volts * limits.min_amps * self.phases),
        }
        mode = AC_CPDReqEnergyTransferMode(**fields)
        if self.bidirectional:
            mode = BPT_AC_CPDReqEnergyTransferMode(
                **fields,
                EVMaximumDischargePower=rational(limits.volts * limits.max_discharge_amps * self.phases),
                EVMinimumDischargePower=rational(0.0),
            )
        return AC_ChargeParameterDiscoveryReq(Header=self.header(), AC_CPDReqEnergyTransferMode=mode)

    def charge_loop(self) -> AC_ChargeLoopReq:
        return AC_ChargeLoopReq(**self.loop_fields(), CLReqControlMode=self._control())

    def _control(self) -> CLReqControlMode:
        """What the vehicle can take and give now, and what it draws, in the words of the control mode."""
        limits = self.ev.limits()
        ends = self.leaving() or self.complete()
        fields: dict[str, Any] = {
            **self.energies(),
            "EVMaximumChargePower": rational(0.0 if ends else min(self.watts(), self.ev.target_watts())),
            "EVMinimumChargePower": rational(0.0 if ends else limits.volts * limits.min_amps * self.phases),
            "EVPresentActivePower": rational(self.ev.inlet_volts() * self.ev.amps()),
        }
        if self.bidirectional:
            gives = self.may_give() and not self.leaving()
            fields["EVMaximumDischargePower"] = rational(self.watts_back() if gives else 0.0)
            fields["EVMinimumDischargePower"] = rational(0.0)
        if not self.dynamic:
            return (BPT_Scheduled_AC_CLReqControlMode if self.bidirectional else Scheduled_AC_CLReqControlMode)(
                **fields
            )
        fields["EVPresentReactivePower"] = rational(0.0)
        fields["DepartureTime"] = self.departure_s()
        if self.bidirectional:
            fields["EVMaximumV2XEnergyRequest"] = fields["EVMaximumEnergyRequest"]
            fields["EVMinimumV2XEnergyRequest"] = fields["EVMinimumEnergyRequest"]
        return (BPT_Dynamic_AC_CLReqControlMode if self.bidirectional else Dynamic_AC_CLReqControlMode)(**fields)
