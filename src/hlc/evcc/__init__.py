"""The vehicle: `Vehicle` is one connection, from SAP to the end of the session; one file per protocol says what it
asks."""

from hlc.evcc.settings import Settings
from hlc.evcc.vehicle import Vehicle

__all__ = ["Settings", "Vehicle"]
