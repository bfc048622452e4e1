"""One room per paper: settings, experiment, figures, published numbers."""
