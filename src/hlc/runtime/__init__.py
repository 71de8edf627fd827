"""The asyncio shells around the machines: TCP, SDP, signals. Nothing else of this package awaits or reads a clock."""
