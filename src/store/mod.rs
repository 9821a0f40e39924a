//! Which models there are: built-in and folders; detection; recent models.
