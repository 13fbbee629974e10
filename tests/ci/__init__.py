"""Tests of what ships for CI: the action, the hook and the GitLab job, run by their own lines."""
