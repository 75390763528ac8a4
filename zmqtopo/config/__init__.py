"""From the text of a file to a frozen topology, with the place of everything that is said in it."""
