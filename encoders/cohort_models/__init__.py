"""Models of real cohorts: tables of many patients in, one prediction a patient out, every modality optional."""
