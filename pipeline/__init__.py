"""The steps a rebuild consists of: one file, one step, one subcommand, runnable on a laptop."""
