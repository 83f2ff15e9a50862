"""The audit log: who did what to which resource, from where, with which result. docs/audit.md tells the whole of it."""
