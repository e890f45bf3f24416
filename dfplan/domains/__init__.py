"""What is known of families of problems: the mazes, and any environment of Gymnasium."""
