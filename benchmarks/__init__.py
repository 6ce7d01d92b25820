"""What things cost: each module prints one table of docs/benchmarks.md."""
