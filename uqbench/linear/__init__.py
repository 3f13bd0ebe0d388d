"""The linear-regression engine that linear methods share."""
