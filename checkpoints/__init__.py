"""The small Cosmos 3 that ships, and the scripts that made it: `python -m checkpoints.train --help`.

It knows only the proving ground: a test model, for demonstrations, tests and the critic's own test.
Everything here needs torch and diffusers, and neither ray nor a video library, so that it runs on a bare GPU
machine.
"""
