"""Everything that speaks the OCI distribution protocol; the only owner of `requests` for registries."""
