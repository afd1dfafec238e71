"""`rewrite`: questions that are changed before they are answered, and their answers, which fit the client's question.

`rules` is the stage and all rules but those for names, which are in `names`.
"""
