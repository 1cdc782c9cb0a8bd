"""The web face: pages for people, JSON for programs, metrics for Prometheus. It reads; it decides nothing."""
