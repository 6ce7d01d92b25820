"""Everything that speaks the OCI distribution protocol; over urllib3."""
