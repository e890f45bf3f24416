"""Pictures of mazes, roll-outs and plans. No algorithm imports this package."""
