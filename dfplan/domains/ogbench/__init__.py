"""OGBench's point mazes (arXiv 2410.20092): four mazes, two kinds of data, five tasks each."""
