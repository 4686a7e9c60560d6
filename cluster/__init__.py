"""Bulk: many sources through the same spine, as a Ray job."""
