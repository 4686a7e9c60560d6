"""The checks: each a small file with functions from evidence to findings; panel.py lists them."""
