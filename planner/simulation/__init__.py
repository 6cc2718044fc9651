"""What would happen: beliefs about the providers, and the simulation of a schedule against them."""
