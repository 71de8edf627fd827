"""The station: `Station` is one connection, from SAP to the end of the session; one file per protocol says what it
answers."""

from hlc.secc.settings import Service, Settings
from hlc.secc.station import PausedSessions, Station

__all__ = ["PausedSessions", "Service", "Settings", "Station"]
