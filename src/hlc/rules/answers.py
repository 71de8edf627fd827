"""What answers say in the same words in several protocols. Their enumerations differ by class, not by text."""

from __future__ import annotations

from typing import Any


def finished(response: Any) -> bool:
    """Whether the station has its final answer."""
    return bool(response.EVSEProcessing == "Finished")


def status_of(message: Any) -> Any | None:
    """The outlet's status in a response, wherever it sits; None in messages that carry none."""
    for holder in (message, getattr(message, "EVSEChargeParameter", None)):
        for name in ("DC_EVSEStatus", "AC_EVSEStatus", "EVSEStatus"):
            found = getattr(holder, name, None)
            if hasattr(found, "EVSENotification"):
                return found
    return None


def energy_offered(response: Any) -> bool:
    """False: the station ends here because it has no energy (IEC 61851-23:2023 CC.5.3.2)."""
    status = status_of(response)
    return status is None or status.EVSENotification != "StopCharging"


def isolation_proven(response: Any) -> bool:
    """Whether a finished CableCheckRes allows precharge. [V2G-DC-499]

    The text wants Valid or Warning together with EVSE_Ready. Stations of the field leave the optional level out and say
    EVSE_NotReady, and cars go on (Hyundai Ioniq, Polestar 2): only what says no is a no.
    """
    status = response.DC_EVSEStatus
    return (
        finished(response)
        and status.EVSEIsolationStatus in ("Valid", "Warning", None)
        and status.EVSEStatusCode in ("EVSE_Ready", "EVSE_NotReady")
    )
