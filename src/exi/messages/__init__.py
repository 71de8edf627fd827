"""The message sets, one module per schema."""
