"""Corner cases: events placed into a scene. Empty until the issue that builds them."""
