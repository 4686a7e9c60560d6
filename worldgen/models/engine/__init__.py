"""The engine: what diffusion world models share. Chunks, guidance, the denoise loop, sharing, resume.

Networks, VAEs, tokenizers and schedulers come from diffusers; the loop over chunks and steps is ours, because
the stock loops have no progress, no cancel, no weights per hint and no sharing. Imports neither ray nor av,
so that it runs on a bare GPU machine.
"""
