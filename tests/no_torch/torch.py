"""Stands before torch on the path of commands that run as users without torch run them."""

raise ImportError("no torch: only the core is installed")
