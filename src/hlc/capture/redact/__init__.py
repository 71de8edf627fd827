"""A copy of a capture without what tells who charged where: `redactor.Redactor` makes it."""
