"""What other servers say, and what it means: from a pasted reply to a diagnosis."""
