"""The station: `Station` is one connection, from SAP to the end of the session; one file per protocol says what it
answers."""

from hlc.secc.station import Settings, Station

__all__ = ["Settings", "Station"]
