"""The local runtime: MiniStack in an environment of its own, the same template as production, one plain address."""
