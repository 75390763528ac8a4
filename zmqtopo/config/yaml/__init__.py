"""From the text of a file to a tree of nodes, each with its line and column."""
