"""One file for each format of log."""
