"""Benchmarks: each `bench_*.py` has `main()`, which returns rows for the table. Not for correctness."""
