"""What mail servers answer: read from whatever people paste, and diagnosed."""
