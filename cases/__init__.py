"""The cases that come with mlpde: one file a case."""
