"""Files of guidelines and literature, read into titled blocks of text."""
