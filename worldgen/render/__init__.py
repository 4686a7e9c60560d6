"""One small rasteriser on numpy and OpenCV, and what draws with it."""
