"""Video files and frames: probed, decoded and encoded, hardened against what strangers send."""
