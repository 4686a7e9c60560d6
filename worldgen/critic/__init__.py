"""The critic: measures a candidate against its source, geometry and asked spec, and says why."""
