"""Teaching: labels by a teacher, a large language model behind an OpenAI-compatible endpoint.

In: samples, a prompt's template, an address. Out: answers kept as they came, votes counted into
labels, what they cost. May import: samples, runs, errors. No torch.
"""
