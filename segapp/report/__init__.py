"""Statistics, tables and pages from files on disk; nothing here runs a network."""
