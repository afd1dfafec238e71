"""minidns: a headless-aware DNS server for Kubernetes that answers right, fast, and says why."""

__version__ = "0.1.0"
