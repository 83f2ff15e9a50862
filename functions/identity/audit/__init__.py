"""Reading, checking and exporting a tenant's audit log."""
