"""mlpde doctor: whether everything that mlpde needs works on this machine, a line for each thing, with its remedy."""
