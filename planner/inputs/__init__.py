"""What people tell us, checked."""
