"""Meta-World: ten tasks of a robot arm, and the one of all ten."""
