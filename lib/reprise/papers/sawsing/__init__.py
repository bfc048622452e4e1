"""Wu et al. 2022: a sawtooth, filtered, as a vocoder of singing voices, and its rivals."""
