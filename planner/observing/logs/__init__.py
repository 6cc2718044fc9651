"""Mail logs of ten programs and services, and what they say in counts: each format has a file of its own in formats."""
