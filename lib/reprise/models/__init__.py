"""Networks of the papers, one family per file, plain nn.Module."""
