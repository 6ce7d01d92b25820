"""Where proposals live: one file per forge, one interface."""
