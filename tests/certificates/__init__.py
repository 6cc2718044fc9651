"""The envelope against what it claims: a recursion by hand, brute force, and the simulation."""
