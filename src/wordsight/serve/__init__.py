"""`wordsight serve`: reading over HTTP, with a page for people. Needs the extra `[serve]`; see docs/serving.md.

A request's way: `app` takes it in, `body` its pictures as they arrive, `desk` a place in the queue and a thread;
`engine` reads there, words of several requests `together`, and `answers` writes what goes back.
"""
