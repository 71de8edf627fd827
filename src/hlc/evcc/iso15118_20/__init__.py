"""ISO 15118-20, what the vehicle asks: `common` in every energy mode, then a file for each mode."""
