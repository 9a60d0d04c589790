"""The command line: one small file per command. Heavy imports are inside the commands, so that --help is quick."""
