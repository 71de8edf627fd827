"""ISO 15118-20, what the station answers: `common` in every energy mode, then a file for each mode."""
