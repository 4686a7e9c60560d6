"""Sources: whatever the user names, probed and then read, with what lies beside it."""
