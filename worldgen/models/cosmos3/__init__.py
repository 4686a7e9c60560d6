"""Cosmos 3 (Nano, Super, Edge): loading, the two towers, transfer, and rollouts."""
