"""Trace events and their consumers."""
