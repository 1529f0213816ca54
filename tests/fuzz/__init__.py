"""Coverage-guided fuzzing of what reads bytes from strangers: ``make fuzz``.

``targets`` holds one function for each reader: it takes any bytes and fails when a promise is broken. Everything here
but ``drive`` works without atheris, so that the tests run the same functions over the corpus.
"""
