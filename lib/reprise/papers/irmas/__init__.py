"""Ferković and Smoljan 2023: predominant instruments in music, networks and hand-made features compared."""
