"""How windows are run: which, in which processes, and what a resumed run need not do again."""
