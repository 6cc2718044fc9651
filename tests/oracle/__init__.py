"""Slow, independent implementations against which the fast code is tested."""
