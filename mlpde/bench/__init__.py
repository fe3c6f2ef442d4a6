"""Benchmarks by name: `mlpde bench NAME` runs `main()` of `mlpde.bench.NAME`."""
