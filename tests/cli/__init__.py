"""The commands: exit codes, words, and what they leave behind."""
