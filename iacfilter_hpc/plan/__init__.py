"""How much GPU memory a run will take, from its settings and its model's config.json alone."""
