"""Who the peer is: certificates, their hierarchies and identifiers. No files, no clock: both are handed in."""
