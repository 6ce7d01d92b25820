"""One file per step: inputs, a plan, a thin run, outputs."""
