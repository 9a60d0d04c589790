"""The command line: one small file per verb. Heavy imports happen inside the verbs, so that --help is quick."""
