"""A rehearsal: the ordinary migration of a plan, against a local Box that knows the plan's people."""
