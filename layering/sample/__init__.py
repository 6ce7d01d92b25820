"""Images that look like the real ones, for the demo and for tests. Nothing that production decides comes from here."""
