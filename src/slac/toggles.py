"""Whose toggles of the control pilot an outlet has seen (CM_VALIDATE): they are counted for one vehicle at a time.

Requests and answers are correlated by MAC address: there is no run id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slac.effects import ControlPilot, Kind, Send
from slac.mme import Mme
from slac.session import WITH_RESULTS, Session, Step
from slac.validation import Result

if TYPE_CHECKING:
    from slac.evse import Evse


class Toggles:
    """At one outlet."""

    def __init__(self, evse: Evse) -> None:
        self.evse = evse
        self._unannounced = float("-inf")
        """When the control pilot last toggled and nobody had asked for it to be counted."""

    def asked(self, mme: Mme) -> None:
        """CM_VALIDATE.REQ: whether this outlet can count, or that it counts from now on."""
        evse, timer = self.evse, mme.fields["timer"]
        session = next((s for s in evse.sessions.values() if s.ev == mme.source and s.step in WITH_RESULTS), None)
        if session is None:
            evse.unexpected(mme)
        elif not evse.settings.validation or mme.fields["signal_type"]:
            self._confirm(session, 0, Result.FAILURE)
        elif any(each.step is Step.TOGGLES and each is not session for each in evse.sessions.values()):
            self._confirm(session, 0, Result.NOT_READY)
        elif session.step is Step.TOGGLES:
            evse.remark(Kind.REPEATED, f"{session} asks again while its toggles are counted")
        elif timer and session.validated and session.validated[0] == timer:
            evse.remark(Kind.REPEATED, f"{session} asks again how many toggles there were")
            evse.effect(Send(session.validated[1]))
        elif evse.now - self._unannounced < evse.timing.vald_quiet:
            # Somebody toggles whose request was lost: his toggles are not to be taken for this vehicle's.
            self._confirm(session, 0, Result.NOT_READY)
        elif not timer:
            session.validated = None
            self._confirm(session, 0, Result.READY)
            evse.wait(session, Step.REQUEST, "TT_EVSE_match_session", evse.timing.TT_EVSE_match_session)
        else:
            session.toggles = 0
            session.validated = (timer, b"")
            seconds = min((timer + 1) / 10, evse.timing.TT_EVSE_vald_toggle)
            evse.wait(session, Step.TOGGLES, "TT_EVSE_vald_toggle", seconds)

    def seen(self) -> None:
        """The control pilot went to C and back to B."""
        sessions = self.evse.sessions.values()
        for session in sessions:
            session.toggles += 1
        if not any(each.step is Step.TOGGLES for each in sessions):
            self._unannounced = self.evse.now

    def counted(self, session: Session) -> None:
        """The time for toggles is over. Who has toggled rests in B by now: else it was another vehicle at our cable."""
        assert session.validated is not None
        evse, count = self.evse, min(session.toggles, 255)
        result = Result.FAILURE if evse.cp is ControlPilot.C else Result.SUCCESS
        evse.remark(Kind.DECISION, f"{session}: {count} toggles were seen, control pilot in {evse.cp}")
        session.validated = (session.validated[0], self._confirm(session, count, result))
        evse.wait(session, Step.VALIDATED, "TT_match_sequence", evse.timing.TT_match_sequence)

    def _confirm(self, session: Session, toggles: int, result: Result) -> bytes:
        return self.evse.send("CM_VALIDATE.CNF", session.ev, toggle_num=toggles, result=result)
