"""World models: from a plan to a candidate."""
