"""Ways to look at a capture, each a `Report` of its own: tables, charts, pictures, files for analysis."""
