"""What to do: the largest ramp the scenarios tolerate, judged by the simulation."""
