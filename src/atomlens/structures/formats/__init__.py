"""Readers of files, one module a family of formats; CIF has a folder of its own beside this one."""
