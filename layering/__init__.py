"""The domain that the watcher and the pipeline share.

It knows images, releases, Containerfiles, MachineConfigs and proposals, and one adapter each for registries, git
forges and clusters. It knows nothing of schedulers, CI systems or process exits.
"""
