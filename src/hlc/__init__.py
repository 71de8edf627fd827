"""openhlc above the powerline: discovery, handshake, sessions, their runtime and their traces."""
