"""A synthetic nation for the read side: who there is (`nation`), what happens to a class (`term_end`), and two ways of telling it (`fill`)."""
