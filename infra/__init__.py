"""What stands still: building, packaging and the local runtime. Nothing here runs inside a function."""
