"""ISO 15118-20: a module of common types, one of common messages, and one for each way to transfer energy."""
