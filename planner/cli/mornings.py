"""The commands of each morning."""
