"""Commands run in children of a process that has everything imported, so that none takes time to start."""
