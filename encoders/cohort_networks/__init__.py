"""Neural networks on cohorts: block encoders, fusion modes, heads and losses, training, explanation."""
