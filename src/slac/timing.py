"""Every timer and constant of a matching by its standard name (ISO 15118-3 tables 3 and A.1), and a table of deadlines.

TT_ is a time-out while waiting for the peer, TP_ what this side must keep itself. A peer that exceeds a TP_ is not
punished: real vehicles take up to 1.5 s where 0.5 s are allowed.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Final, NamedTuple


class Timing(NamedTuple):
    """Seconds, and counts. Where the standard allows a range, a value in it that works in the field."""

    # Matching
    TT_EVSE_SLAC_init: float = 40.0
    """20 to 50: EVSE, from 5 % to the first CM_SLAC_PARM.REQ; some vehicles need 30 after a failed session."""
    TT_match_response: float = 0.2
    """Waiting for the answer to a request."""
    TT_match_sequence: float = 0.4
    """Waiting for the peer's next request."""
    TP_match_sequence: float = 0.08
    """Up to 0.1: EV, own next request after an answer. Other EVSEs may answer meanwhile."""
    TP_EV_batch_msg_interval: float = 0.03
    """0.02 to 0.05: EV, between CM_START_ATTEN_CHAR.IND and between sounds."""
    TT_EVSE_match_MNBC: float = 0.6
    """EVSE, for the sounds, from the first CM_START_ATTEN_CHAR.IND."""
    MNBC_limit: float = 0.9
    """The longest time for sounds that a vehicle may ask for: CM_ATTEN_CHAR.IND must come before its 1.2 s end."""
    MNBC_grace: float = 0.05
    """Of the 100 ms of TP_EVSE_avg_atten_calc: sounds that are on their way when the time is over."""
    TT_EV_atten_results: float = 1.2
    """EV, for CM_ATTEN_CHAR.IND, from the first CM_START_ATTEN_CHAR.IND."""
    TP_EV_match_session: float = 0.45
    """Up to 0.5: EV, from CM_ATTEN_CHAR.RSP to CM_VALIDATE.REQ or CM_SLAC_MATCH.REQ."""
    TT_EVSE_match_session: float = 10.0
    """EVSE, waiting for either."""
    TT_match_join: float = 12.0
    """From CM_SLAC_MATCH.CNF to the link."""
    TT_matching_repetition: float = 10.0
    """EV, in which failed matching may begin again."""
    TT_matching_rate: float = 0.4
    """EV, pause before it does."""
    TT_amp_map_exchange: float = 0.2
    """Waiting for CM_AMP_MAP.REQ after the link."""
    TP_match_leave: float = 1.0
    """To leave the network after unplugging, error, end: so long the interface is to be kept."""

    # Validation
    TP_EV_vald_state_duration: float = 0.25
    """0.2 to 0.4: each state of a toggle."""
    TP_EV_vald_toggle: float = 0.6
    """0.6 to 3.5: the least for all toggles."""
    TT_EVSE_vald_toggle: float = 3.5
    """EVSE, at most, for all toggles; CM_VALIDATE.REQ tells how long."""
    T_vald_detect_time: float = 0.2
    """EVSE, to detect a state."""
    vald_quiet: float = 0.8
    """EVSE, without a toggle before it counts: two states of the longest toggle."""
    validation_busy: float = 0.5
    """EV, until it asks an EVSE again that is not ready to validate."""

    # Connection
    T_conn_max_comm: float = 8.0
    """From plugging in to a low layer that is ready."""
    T_conn_resume: float = 6.0
    """From waking up to the link."""
    T_conn_resetup: float = 15.0
    """EV, to set up again after communication was lost."""
    T_step_EF: float = 4.0
    """EVSE, at least, in state E or F."""
    T_step_X1: float = 3.0
    """EVSE, without PWM between 5 % and basic charging."""
    X1_after_EF: float = 0.75
    """EVSE, without PWM between E or F and 5 %."""

    # Watching the own modem
    poll_joining: float = 0.1
    poll_matched: float = 0.5

    # Counts
    C_EV_match_MNBC: int = 10
    """Sounds."""
    C_EV_start_atten_char_inds: int = 3
    C_EV_match_retry: int = 2
    """Repetitions of a message without answer, at either end."""
    C_conn_max_match: int = 3
    """EV, matching processes with an EVSE that answers, before giving up."""
    C_sequ_retry: int = 2
    """EVSE, repetitions of E/F and 5 %."""
    C_validation_busy: int = 8
    """EV, so often it asks an EVSE that is not ready to validate."""
    C_EV_vald_nb_toggles: int = 3
    """Up to so many, from 1."""
    C_EVSE_match_parallel: int = 512
    """EVSE, matching processes at a time; the standard asks for 5. More than TT_match_sequence lets live where ever
    other vehicles ask 1,000 times a second: who really goes on is not pushed out."""
    polls_lost: int = 2
    """Looks at a lost link, one after the other, that are believed; likewise at a modem that does not answer."""


PERFORMANCE: Final[Mapping[str, tuple[float, float]]] = {
    "TP_EV_SLAC_init": (0.0, 10.0),  # EV: from plugging in or waking up to the first CM_SLAC_PARM.REQ
    "TP_match_response": (0.0, 0.1),  # answering a request
    "TP_match_sequence": (0.0, 0.1),  # EV: own next request after an answer
    "TP_EV_batch_msg_interval": (0.02, 0.05),  # EV: between announcements, between sounds
    "TP_EVSE_avg_atten_calc": (0.0, 0.1),  # EVSE: from the last sound to CM_ATTEN_CHAR.IND
    "TP_EV_match_session": (0.0, 0.5),  # EV: from CM_ATTEN_CHAR.RSP to the next request
    "TP_EV_vald_state_duration": (0.2, 0.4),  # EV: each state of a toggle
    "TP_EV_vald_toggle": (0.6, 3.5),  # EV: all toggles
    "TP_amp_map_exchange": (0.0, 0.1),  # from the link to CM_AMP_MAP.REQ
    "TP_link_ready_notification": (0.2, 1.0),  # from the link to D-LINK_READY
    "TP_match_leave": (0.0, 1.0),  # leaving the network after unplugging, error, end
    "T_conn_init_HLC": (0.2, float("inf")),  # EV: state B after F, D or C; the hardware's
}
"""What this side must keep, least and most, in seconds. The values above are chosen to."""


class Timers:
    """Deadlines by name, and by what they are of where there are several of one name."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, Hashable], float] = {}

    def start(self, name: str, now: float, seconds: float, of: Hashable = None) -> None:
        """Start, or start again."""
        self._at[name, of] = now + seconds

    def cancel(self, *names: str, of: Hashable = None) -> None:
        for name in names:
            self._at.pop((name, of), None)

    def cancel_of(self, of: Hashable) -> None:
        """All of one thing."""
        for key in [key for key in self._at if key[1] == of]:
            del self._at[key]

    def next(self) -> float | None:
        """When the first one passes."""
        return min(self._at.values(), default=None)

    def pop(self, now: float) -> tuple[str, Hashable] | None:
        """The first one that has passed, removed; None: none has."""
        key = min(self._at, key=self._at.__getitem__, default=None)
        if key is None or self._at[key] > now:
            return None
        del self._at[key]
        return key

    def __contains__(self, name: str) -> bool:
        return any(key[0] == name for key in self._at)
