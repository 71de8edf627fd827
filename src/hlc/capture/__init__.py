"""Captured frames -> trace events, and back: reading, judging and writing captures."""
