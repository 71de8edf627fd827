"""The vehicle: `Vehicle` is one connection, from SAP to the end of the session; one file per protocol says what it
asks."""

from hlc.evcc.vehicle import Settings, Vehicle

__all__ = ["Settings", "Vehicle"]
