"""The values of a message that matter, in one line and in physical units.

`PHRASES` is the whole taste: which elements are worth a line, in which order, under which words. An element is found
by its name wherever it sits in the message, so one table serves every protocol; a message that no phrase fits shows its
elements as they are. Colour, time and the message's name are the consumer's.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import asdict

from hlc.trace.events import Message

DEEPEST: Final = 6
"""Levels of a message that are looked into."""
MOST: Final = 120
"""Characters of a line made from a message that no phrase fits."""
FICKLE: Final = ("LimitAchieved", "EVSEIsolationStatusIsUsed", "MeterInfoRequested")
"""Flags that come and go in a loop; they do not make a message new."""
SENSIBLE: Final = 1e9
"""Numbers from here on, which the exponents of ISO 15118-20 allow, are shown as powers of ten."""


class Quantity(NamedTuple):
    """A number with its unit."""

    value: float
    unit: str

    def __str__(self) -> str:
        if self.unit in ("W", "Wh") and 1000 <= abs(self.value) < SENSIBLE:
            return f"{self.value / 1000:.1f} k{self.unit}"
        if self.unit in ("V", "A") and abs(self.value) < SENSIBLE:
            return f"{self.value:.1f} {self.unit}"
        return f"{self.value:g} {self.unit}".rstrip()


UNITS: Final = (
    ("Voltage", "V"),
    ("Current", "A"),
    ("Power", "W"),
    ("Energy", "Wh"),
    ("EAmount", "Wh"),
    ("Time", "s"),
    ("Ripple", "A"),
    ("MeterReading", "Wh"),
)
"""The unit that an element's name implies, for values sent without one (DIN 70121 allows it, ISO 15118-20 has none)."""


def quantity(value: Any, name: str = "") -> Quantity | None:
    """A PhysicalValue (Multiplier, Unit, Value) or RationalNumber (Exponent, Value) as a number; else None.

    `name` is the element's name: it implies the unit where the value carries none.
    """
    amount = number(value)
    if amount is None:
        return None
    unit = getattr(value, "Unit", None)
    return Quantity(amount, _implied(name) if unit is None else str(unit))


def number(value: Any) -> float | None:
    """The number in a PhysicalValue or RationalNumber, in its unit; None for any other value."""
    parts = KINDS[type(value)].parts
    if parts is None:
        return None
    exponent, mantissa = parts(value)
    if exponent is None or mantissa is None:
        return None
    return float(mantissa / 10**-exponent if exponent < 0 else mantissa * 10**exponent)


class Kind(NamedTuple):
    """What values of a class are in a message."""

    element: bool
    """An element with others in it."""
    parts: Callable[[Any], tuple[Any, Any]] | None
    """A quantity: how to get its exponent and mantissa."""


class Kinds(dict[type, Kind]):
    """Every class of values that was met."""

    def __missing__(self, kind: type) -> Kind:
        fields = getattr(kind, "__struct_fields__", ())
        exponent = next((name for name in ("Multiplier", "Exponent") if name in fields), "")
        parts = attrgetter(exponent, "Value") if exponent and "Value" in fields else None
        self[kind] = Kind(issubclass(kind, msgspec.Struct) and parts is None, parts)
        return self[kind]


KINDS: Final = Kinds()


@cache
def _implied(name: str) -> str:
    """The unit that the name of an element implies."""
    return next((unit for word, unit in UNITS if word in name), "")


def document(message: Any) -> tuple[Any, Any]:
    """`(header, element)` of a decoded document: the header is None where the protocol has none there."""
    body = getattr(message, "Body", None)
    if body is not None:
        return getattr(message, "Header", None), getattr(body, "BodyElement", None)
    return getattr(message, "Header", None), message


def leaves(element: Any) -> dict[str, Any]:
    """Every simple value in `element` by element name; the first wins. Quantities count as simple, lists stay lists."""
    return _collected(element, quantity)


def figures(element: Any) -> dict[str, Any]:
    """The same, with quantities as numbers in their unit."""
    return _collected(element, lambda value, name: number(value))


def news(values: dict[str, Any]) -> dict[str, Any]:
    """What makes a message another one than the last of its name: of its `leaves` codes and flags, not figures."""
    return {
        name: value for name, value in values.items() if isinstance(value, Enum | bool) and not name.endswith(FICKLE)
    }


def _collected(element: Any, read: Callable[[Any, str], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(element, msgspec.Struct):
        _collect(element, found, 0, read)
    return found


def _collect(element: msgspec.Struct, found: dict[str, Any], depth: int, read: Callable[[Any, str], Any]) -> None:
    for name, value in asdict(element).items():
        if value is None or name in found:
            continue
        kind = KINDS[type(value)]
        if kind.parts is not None:
            found[name] = read(value, name)
        elif not kind.element:
            found[name] = value
        elif depth < DEEPEST and name not in ("Header", "Signature"):
            _collect(value, found, depth + 1, read)


def text(value: Any) -> str:
    """A simple value for a reader: octets as hexadecimal, lists by their entries."""
    if isinstance(value, bytes):
        return value.hex().upper() or "(empty)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, list):
        return ", ".join(text(item) for item in value[:4]) + (", ..." if len(value) > 4 else "")
    if isinstance(value, msgspec.Struct):
        number = quantity(value)
        return str(number) if number is not None else type(value).__name__
    return clean(str(value))


def clean(line: str) -> str:
    """Text from the wire as one line that does a terminal no harm: what is not printable is shown by its number."""
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in line
    )


def mac(value: Any) -> str:
    """An EVCCID as it is printed on stickers: a MAC address where it has six octets."""
    return ":".join(f"{octet:02X}" for octet in value) if isinstance(value, bytes) and len(value) == 6 else text(value)


def _offers(value: Any) -> str:
    """The protocols of a supportedAppProtocolReq."""
    return ", ".join(
        f"{offer.ProtocolNamespace} {offer.VersionNumberMajor}.{offer.VersionNumberMinor} "
        f"(SchemaID {offer.SchemaID}, priority {offer.Priority})"
        for offer in sorted(value, key=lambda offer: offer.Priority)
    )


def _schedule(value: Any) -> str:
    """The power limits of the schedules that DIN 70121 and ISO 15118-2 offer."""
    parts = []
    for item in value[:3]:
        entries = getattr(getattr(item, "PMaxSchedule", None), "PMaxScheduleEntry", [])
        limits = [quantity(entry.PMax, "Power") or Quantity(entry.PMax, "W") for entry in entries[:3]]
        parts.append(f"#{item.SAScheduleTupleID} " + " then ".join(str(limit) for limit in limits))
    return ", ".join(parts)


class Phrase(NamedTuple):
    """Some elements shown together behind one word.

    The phrase is left out when none of `names` is in the message, or when all that are have a value in `quiet`.
    """

    word: str
    names: tuple[str, ...]
    show: Callable[[Any], str] = text
    quiet: tuple[Any, ...] = ()
    unit: str = ""


def _name(value: Any) -> str:
    """The name of a number that has one."""
    return getattr(value, "name", str(value))


NO_ERROR: Final = ("NO_ERROR", "NoData", "OK_NoEVError")
"""EVErrorCodes that tell of none."""


def _flag(word: str, *names: str, when: bool = True) -> Phrase:
    return Phrase(word, names, lambda value: "", (not when,))


PHRASES: Final[tuple[Phrase, ...]] = (
    Phrase("", ("ResponseCode",), quiet=("OK",)),
    # handshake and discovery
    Phrase("offers", ("AppProtocol",), _offers),
    Phrase("SchemaID", ("SchemaID",)),
    Phrase("security", ("Security", "security"), _name),
    Phrase("transport", ("Transport", "transport"), _name),
    Phrase("coupling", ("coupling",), _name),
    Phrase("pairing", ("diag_status",), _name),
    Phrase("SECC", ("address",)),
    Phrase("port", ("port",)),
    # set-up
    Phrase("EVCCID", ("EVCCID",), mac),
    Phrase("EVSEID", ("EVSEID",)),
    Phrase("category", ("ServiceCategory",)),
    Phrase("transfer", ("EnergyTransferType", "EVRequestedEnergyTransferType", "RequestedEnergyTransferMode")),
    Phrase("pay", ("PaymentOption", "SelectedPaymentOption")),
    Phrase("authorize by", ("AuthorizationServices", "SelectedAuthorizationService")),
    Phrase("service", ("ServiceID",)),
    Phrase("", ("EVSEProcessing",)),
    # electrical values
    Phrase("EV target", ("EVTargetVoltage", "EVTargetCurrent")),
    Phrase("EVSE", ("EVSEPresentVoltage", "EVSEPresentCurrent")),
    Phrase("EV max", ("EVMaximumVoltageLimit", "EVMaximumCurrentLimit", "EVMaximumPowerLimit")),
    Phrase("EV max", ("EVMaximumVoltage", "EVMaximumChargeCurrent", "EVMaximumChargePower")),
    Phrase("EV gives back", ("EVMaximumDischargeCurrent", "EVMaximumDischargePower")),
    Phrase("EVSE min", ("EVSEMinimumVoltageLimit", "EVSEMinimumCurrentLimit")),
    Phrase("EVSE max", ("EVSEMaximumVoltageLimit", "EVSEMaximumCurrentLimit", "EVSEMaximumPowerLimit")),
    Phrase("EVSE max", ("EVSEMaximumVoltage", "EVSEMaximumChargeCurrent", "EVSEMaximumChargePower")),
    Phrase("EVSE takes back", ("EVSEMaximumDischargeCurrent", "EVSEMaximumDischargePower")),
    Phrase("EVSE target", ("EVSETargetActivePower",)),
    Phrase("EVSE", ("EVSEPresentActivePower",)),
    Phrase("EV", ("EVPresentActivePower",)),
    Phrase("ripple", ("EVSEPeakCurrentRipple",)),
    Phrase("PMax", ("SAScheduleTuple",), _schedule),
    Phrase("capacity", ("EVEnergyCapacity", "BatteryEnergyCapacity")),
    Phrase("wants", ("EVEnergyRequest", "EAmount", "EVTargetEnergyRequest")),
    Phrase("SoC", ("EVRESSSOC", "PresentSOC"), unit=" %"),
    Phrase("full in", ("RemainingTimeToFullSoC", "RemainingTimeToTargetSOC")),
    # wireless power transfer
    Phrase("", ("EVResultCode",), quiet=("EVResultUnknown",)),
    Phrase("positioning", ("WPT_FinePositioningMethod",)),
    Phrase("pairing", ("WPT_PairingMethod",)),
    Phrase("alignment check", ("WPT_AlignmentCheckMethod",)),
    Phrase("sees code", ("ObservedIDCode",)),
    Phrase("class", ("PDInputPowerClass",)),
    Phrase("EV max", ("EVPCMaxReceivablePower",)),
    Phrase("clearance", ("SDMinGroundClearence", "SDMaxGroundClearence"), unit=" mm"),
    Phrase("clearance", ("SDMinGroundClearanceSupport", "SDMaxGroundClearanceSupport"), unit=" mm"),
    Phrase("trial", ("TargetCoilCurrent",)),
    Phrase("transmits", ("PowerTransmitted", "SupplyDeviceCurrent")),
    Phrase("EV target", ("EVPCPowerRequest",)),
    Phrase("EV", ("EVPCPowerOutput",)),
    Phrase("EVSE", ("SDPowerInput",)),
    Phrase("EVSE min", ("SDMinOutputPower",)),
    Phrase("EVSE max", ("SDMaxOutputPower", "SPCMaxOutputPowerLimit")),
    # pantographs
    Phrase("off by", ("EVRelativeXDeviation", "EVRelativeYDeviation")),
    _flag("in position", "EVInChargePosition"),
    _flag("moves", "EVMobilityStatus"),
    Phrase("contacts", ("EVSEMechanicalChargingDeviceStatus",)),
    Phrase("", ("EVElectricalChargingDeviceStatus", "EVSEElectricalChargingDeviceStatus")),
    # status
    Phrase("", ("EVPCChargeDiagnostics", "SPCChargeDiagnostics"), quiet=("EVPCNoIssue", "SPCNoIssue")),
    _flag("not immobilised", "EVImmobilized", when=False),
    _flag("disabled", "EVSEDisabled"),
    _flag("another vehicle", "EVAssociationStatus", when=False),
    _flag("utility interrupt", "EVSEUtilityInterruptEvent"),
    _flag("emergency shutdown", "EVSEEmergencyShutdown"),
    _flag("malfunction", "EVSEMalfunction"),
    Phrase("", ("ReadyToChargeState",), lambda value: "start" if value else "stop"),
    Phrase("", ("ChargeProgress",)),
    _flag("EV not ready", "EVReady", when=False),
    Phrase("", ("EVErrorCode",), quiet=NO_ERROR),
    Phrase("", ("EVSEStatusCode",), quiet=("EVSE_Ready",)),
    Phrase("isolation", ("EVSEIsolationStatus",)),
    Phrase("notification", ("EVSENotification",), quiet=("None",)),
    _flag("current limit reached", "EVSECurrentLimitAchieved"),
    _flag("voltage limit reached", "EVSEVoltageLimitAchieved"),
    _flag("power limit reached", "EVSEPowerLimitAchieved"),
    _flag("bulk charging complete", "BulkChargingComplete"),
    _flag("charging complete", "ChargingComplete"),
)

LOOP: Final = ("PreCharge", "CurrentDemand", "ChargeLoop", "ChargingStatus", "WeldingDetection")
"""Messages so frequent that their lines leave out what hardly ever changes."""
LOOP_QUIET: Final = ("EV max", "EVSE max", "EV gives back", "EVSE takes back", "capacity", "isolation", "full in")


def describe(event: Message) -> str:
    """The values of a message that matter: "EV target 395.0 V 12.0 A  SoC 43 %"; empty where there is none."""
    header, element = document(event.message)
    values = leaves(element)
    terse = any(word in event.name for word in LOOP)
    parts: list[str] = []
    fits = False
    for phrase in PHRASES:
        present = [values[name] for name in phrase.names if name in values]
        if not present:
            continue
        fits = True
        if (terse and phrase.word in LOOP_QUIET) or all(value in phrase.quiet for value in present):
            continue
        shown = " ".join(shown for value in present if (shown := phrase.show(value))) + phrase.unit
        parts.append(f"{phrase.word} {shown}".strip())
    if event.name in ("SessionSetupRes",) and header is not None:
        parts.append(f"SessionID {text(header.SessionID)}")
    notification = getattr(header, "Notification", None)
    if notification is not None:
        parts.append(f"header says {notification.FaultCode} {notification.FaultMsg or ''}".rstrip())
    return clean("  ".join(parts) if fits else _anything(values))


def _anything(values: dict[str, Any]) -> str:
    line = "  ".join(f"{name} {text(value)}" for name, value in values.items())
    return line if len(line) <= MOST else line[: MOST - 3] + "..."


def headline(event: Message) -> str:
    """The documented message ID and the name: "118 CurrentDemandReq"."""
    return f"{event.id if event.id is not None else '-':>3} {event.name}"


def alarm(event: Message) -> str | None:
    """What in this message tells of trouble: a response code other than OK, an error or shutdown status; else None."""
    header, element = document(event.message)
    notification = getattr(header, "Notification", None)
    if notification is not None:
        return str(notification.FaultCode)
    values = leaves(element)
    code = values.get("ResponseCode")
    if code is not None and str(code).upper().startswith("FAILED"):
        return str(code)
    error = values.get("EVErrorCode")
    if error is not None and error not in NO_ERROR:
        return str(error)
    status = values.get("EVSEStatusCode")
    if status in GRAVE:
        return str(status)
    if values.get("EVSEIsolationStatus") == "Fault":
        return "isolation Fault"
    return None


GRAVE: Final = (
    "EVSE_Shutdown",
    "EVSE_UtilityInterruptEvent",
    "EVSE_EmergencyShutdown",
    "EVSE_Malfunction",
)
"""EVSEStatusCodes that end a session."""
