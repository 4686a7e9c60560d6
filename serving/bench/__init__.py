"""Benches of the service; `worldgen bench` starts them by name."""
