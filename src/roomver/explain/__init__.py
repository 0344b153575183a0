"""What the commands that explain a room find out: plain data about events, merges and the graph."""
