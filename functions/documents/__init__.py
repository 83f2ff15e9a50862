"""Documents: uploads, reading, analysis, and what became of each."""
