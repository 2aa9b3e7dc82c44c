"""What sklstm costs, in ratios: ``python -m tests.benchmarks`` prints them as tables."""
