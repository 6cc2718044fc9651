"""The screens: collect input, call `planner`, draw."""
