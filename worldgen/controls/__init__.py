"""Geometry and control maps: from a source to the material that world models and the critic read."""
