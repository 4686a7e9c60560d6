"""The service: Ray Serve on one machine or many, the same spine behind HTTP."""
