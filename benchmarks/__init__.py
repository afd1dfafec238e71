"""minidns, Knot DNS and NSD side by side on the same zone: `python -m benchmarks`, or `make bench`."""
