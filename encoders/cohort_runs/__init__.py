"""Training on a cohort: folds, models by name, held-out predictions, figures, the run folder."""
