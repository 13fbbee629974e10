"""GPU memory: how much a run will take, from its settings and its model's config.json alone.

In: a RunConfig and the site's GPUs. Out: bytes by term, whether they fit, the smallest change with
which they would. Transformers could build the model without memory and count, but the login node
that submits has no torch, and a plan takes half a second. May import: config, runs, errors. No
torch.
"""
