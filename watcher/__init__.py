"""The daemon: observes clusters and registries, decides, starts builds, proposes."""
