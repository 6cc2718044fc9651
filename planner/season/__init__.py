"""A warmup followed from day to day: what is kept of it, and what to do each morning."""
