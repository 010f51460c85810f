"""Dialogs: questions, lists, help."""
