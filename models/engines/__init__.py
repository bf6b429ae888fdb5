"""The back ends of `models.engine`; each is imported only when it is chosen."""
