"""Leaderboard tables and figures from records."""
