"""What is learnt from what was seen: beliefs after the first days."""
