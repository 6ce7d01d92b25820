"""Where a rebuild runs: one file per engine."""
