"""The approach of a vehicle to a primary device: positioning, pairing, alignment check. Nothing but the trial of the
check is transmitted before all three have succeeded.

Of the methods that both sides have, the station's best is taken. A vehicle that has seen another code than this
device's stands over another device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from exi.messages.iso15118_20.types import Processing, ResponseCode
from exi.messages.iso15118_20.wpt import (
    WPT_AlignmentCheckMethod,
    WPT_AlignmentCheckMethodList,
    WPT_AlignmentCheckReq,
    WPT_AlignmentCheckRes,
    WPT_EVResult,
    WPT_FinePositioningMethod,
    WPT_FinePositioningMethodList,
    WPT_FinePositioningReq,
    WPT_FinePositioningRes,
    WPT_FinePositioningSetupReq,
    WPT_FinePositioningSetupRes,
    WPT_PairingMethod,
    WPT_PairingMethodList,
    WPT_PairingReq,
    WPT_PairingRes,
)
from hlc.flow import Refusal
from hlc.ports import WptMethods, WptOutlet
from hlc.rules import Kind
from hlc.rules.iso15118_20.values import maybe, rational
from hlc.secc.conversation import Conversation, Handler

OK: Final = ResponseCode.OK
NO_ISSUE: Final = "SPCNoIssue"
TRIAL_COIL_AMPS: Final = 2.0
"""What the alignment check drives at most."""
TRIAL_S: Final = 1.0
"""A trial that the vehicle does not ask about for so long ends: a vehicle that hears nothing gives up after 2 s, and
drives away."""
STEADY: Final = 0.95
"""A trial whose coil has come so near to the current wanted has settled."""
SEEN_BY_VEHICLE: Final = frozenset({WPT_PairingMethod.LPE, WPT_PairingMethod.LF_TxPrimaryDevice})
"""Pairing in which the vehicle sees the code of the primary device."""
SEEN_BY_NOBODY: Final = frozenset({WPT_PairingMethod.External_confirmation})
"""Pairing by somebody who sees both: what the vehicle says of it must do. In the other ways either device may see the
code of the other one."""


class Approach:
    """`header()` makes a message header."""

    def __init__(self, conversation: Conversation, outlet: WptOutlet, header: Callable[[], Any]) -> None:
        self.conversation = conversation
        self.station = conversation.station
        self.outlet = outlet
        self.header = header
        self.paired = False
        self.aligned = False
        """Whether the alignment check has succeeded, and nothing has been seen since that belies it."""
        self._pairing: WPT_PairingMethod | None = None
        self._pairing_begun = False
        self._trial_amps: float | None = None
        """What the coil is driven with, while a trial goes on."""
        self._asked_at = 0.0

    def handlers(self) -> Mapping[Kind, Handler]:
        """The answers to the requests of the approach."""
        return {
            WPT_FinePositioningSetupReq: self.fine_positioning_setup,
            WPT_FinePositioningReq: self.fine_positioning,
            WPT_PairingReq: self.pairing,
            WPT_AlignmentCheckReq: self.alignment_check,
        }

    def obstacle(self) -> str | None:
        """Why no power may be transferred as the vehicle stands, or with what lies under it."""
        diagnosis = self.outlet.diagnosis()
        if diagnosis != NO_ISSUE:
            return f"the primary device reports {diagnosis}"
        return None if self.outlet.positioned() else "the vehicle is not over the primary device"

    def lost(self) -> None:
        """Alignment must be proven again."""
        self.aligned = False
        if self.trial:
            self._end_trial()

    @property
    def trial(self) -> bool:
        """Whether the coil is driven for an alignment check."""
        return self._trial_amps is not None

    def look(self) -> None:
        """End a trial that nobody asks about."""
        if self.trial and self.station.now - self._asked_at >= TRIAL_S:
            self._end_trial()

    # Handlers

    def fine_positioning_setup(self, request: WPT_FinePositioningSetupReq) -> WPT_FinePositioningSetupRes:
        self.lost()
        self.paired = self._pairing_begun = False
        methods = self._methods(request)
        if request.EVProcessing is not Processing.Finished:
            return self._setup_res(OK, self.outlet.methods())
        self._pairing = WPT_PairingMethod(methods.pairing[0])
        return self._setup_res(OK, methods)

    def fine_positioning(self, request: WPT_FinePositioningReq) -> WPT_FinePositioningRes:
        done = request.EVProcessing is Processing.Finished
        if done and request.EVResultCode is WPT_EVResult.EVResultFailed:
            self.station.note("the vehicle has not found its place")
        elif done and not self.outlet.positioned():
            self.station.note("the vehicle says that it stands in its place; it does not")
            return self._positioning_res(ResponseCode.WARNING_WPT, done=True)
        return self._positioning_res(OK, done=done)

    def pairing(self, request: WPT_PairingReq) -> WPT_PairingRes:
        if self._pairing is None:  # a resumed session, or one that pairs again without a new set-up
            self._pairing = WPT_PairingMethod(self.outlet.methods().pairing[0])
        if not self._pairing_begun:
            self._pairing_begun, self.paired = True, False
            self.outlet.start_pairing()
        done = request.EVProcessing is Processing.Finished
        failed = done and request.EVResultCode is WPT_EVResult.EVResultFailed
        seen = request.ObservedIDCode
        if seen is not None and seen != self.outlet.code():
            text = f"the vehicle stands over device {seen}, this is {self.outlet.code()}"
            raise Refusal(ResponseCode.FAILED_AssociationError, text)
        if done and not failed and seen is None and self._pairing in SEEN_BY_VEHICLE:
            raise Refusal(ResponseCode.FAILED_AssociationError, "the vehicle has not seen the code of this device")
        known = seen is not None or self.outlet.observed_code() is not None
        waiting = not known and self._pairing not in SEEN_BY_VEHICLE | SEEN_BY_NOBODY
        if not waiting:  # how long the vehicle then takes is not the station's affair
            self.conversation.reached(request)
        self.paired = done and not failed and not waiting
        self._pairing_begun = not self.paired and not failed
        return self._pairing_res(OK, done=failed or not waiting)

    def alignment_check(self, request: WPT_AlignmentCheckReq) -> WPT_AlignmentCheckRes:
        if not self.paired:
            raise Refusal(ResponseCode.FAILED_SequenceError, "an alignment check of a vehicle that is not paired")
        self.aligned, self._asked_at = False, self.station.now
        if obstacle := self.obstacle():
            self.station.note(obstacle)
            self._end_trial()
            return self._alignment_res(ResponseCode.WARNING_WPT, done=True)
        settled = self._settled()
        if settled:
            self.conversation.reached(request)
        if request.EVProcessing is Processing.Finished and (settled or self._trial_amps is None):
            # A vehicle that needs no trial of ours has its own way to know.
            self.aligned = request.EVResultCode is WPT_EVResult.EVResultSuccess
            answer = self._alignment_res(OK, done=True)
            self._end_trial()
            return answer
        if self._trial_amps is None:
            limits = self.outlet.limits()
            wanted = maybe(request.TargetCoilCurrent, TRIAL_COIL_AMPS)
            self._trial_amps = min(max(wanted, limits.min_coil_amps), limits.max_coil_amps, TRIAL_COIL_AMPS)
            self.outlet.excite(self._trial_amps)
            self.station.go_live()
        return self._alignment_res(OK, done=settled)

    def _settled(self) -> bool:
        return self._trial_amps is not None and self.outlet.coil_amps() >= STEADY * self._trial_amps

    def _end_trial(self) -> None:
        self._trial_amps = None
        self.station.make_safe(emergency=False)

    # Phrases

    def _methods(self, request: WPT_FinePositioningSetupReq) -> WptMethods:
        """The best of what both sides have, of each kind. Raises `Refusal`."""
        mine = self.outlet.methods()
        return WptMethods(
            _common("positioning", mine.positioning, request.EVDeviceFinePositioningMethodList),
            _common("pairing", mine.pairing, request.EVDevicePairingMethodList),
            _common("checking the alignment", mine.alignment, request.EVDeviceAlignmentCheckMethodList),
        )

    def _setup_res(self, code: ResponseCode, methods: WptMethods) -> WPT_FinePositioningSetupRes:
        return WPT_FinePositioningSetupRes(
            Header=self.header(),
            ResponseCode=code,
            PrimaryDeviceFinePositioningMethodList=WPT_FinePositioningMethodList(
                WPT_FinePositioningMethod=[WPT_FinePositioningMethod(name) for name in methods.positioning]
            ),
            PrimaryDevicePairingMethodList=WPT_PairingMethodList(
                WPT_PairingMethod=[WPT_PairingMethod(name) for name in methods.pairing]
            ),
            PrimaryDeviceAlignmentCheckMethodList=WPT_AlignmentCheckMethodList(
                WPT_AlignmentCheckMethod=[WPT_AlignmentCheckMethod(name) for name in methods.alignment]
            ),
            NaturalOffset=round(self.outlet.natural_offset_mm()),
        )

    def _positioning_res(self, code: ResponseCode, *, done: bool) -> WPT_FinePositioningRes:
        return WPT_FinePositioningRes(Header=self.header(), ResponseCode=code, EVSEProcessing=_processing(done))

    def _pairing_res(self, code: ResponseCode, *, done: bool) -> WPT_PairingRes:
        return WPT_PairingRes(
            Header=self.header(),
            ResponseCode=code,
            EVSEProcessing=_processing(done),
            ObservedIDCode=self.outlet.observed_code(),
        )

    def _alignment_res(self, code: ResponseCode, *, done: bool) -> WPT_AlignmentCheckRes:
        driven = self._trial_amps is not None
        return WPT_AlignmentCheckRes(
            Header=self.header(),
            ResponseCode=code,
            EVSEProcessing=_processing(done),
            PowerTransmitted=rational(self.outlet.transmitted_watts()) if driven else None,
            SupplyDeviceCurrent=rational(self.outlet.coil_amps()) if driven else None,
        )

    def refusals(self) -> Mapping[Kind, Callable[[ResponseCode], Any]]:
        """The shortest answers to the requests of the approach."""
        return {
            WPT_FinePositioningSetupReq: lambda code: self._setup_res(
                code, WptMethods(*(names[:1] for names in self.outlet.methods()))
            ),
            WPT_FinePositioningReq: lambda code: self._positioning_res(code, done=True),
            WPT_PairingReq: lambda code: WPT_PairingRes(
                Header=self.header(), ResponseCode=code, EVSEProcessing=Processing.Finished
            ),
            WPT_AlignmentCheckReq: lambda code: WPT_AlignmentCheckRes(
                Header=self.header(), ResponseCode=code, EVSEProcessing=Processing.Finished
            ),
        }


def _common(what: str, mine: Sequence[str], theirs: Any) -> tuple[str, ...]:
    """The best of my methods that the other side has too. Raises `Refusal`."""
    [offered] = (list(getattr(theirs, name)) for name in theirs.__struct_fields__)
    for name in mine:
        if name in offered:
            return (name,)
    text = f"no method of {what} in common: the vehicle has {', '.join(offered)}"
    raise Refusal(ResponseCode.FAILED_AssociationError, text)


def _processing(done: bool) -> Processing:
    return Processing.Finished if done else Processing.Ongoing
