"""Lessons that check themselves: what a lesson is, how its file is read, and what becomes of a learner's attempt.

    lesson = read(path)                      # or find("readiness"), one of those that come with minidns
    judging = attempt(lesson.steps[0], "2")  # a generator: yields questions, is sent answers, returns a Verdict

Pure but for the reading of files: who asks the questions, over which socket, is the business of `cli` and `admin`.
A lesson is data, a YAML file beside this one; docs/lessons/writing.md says what is in it.

Start reading: `lesson`, then `judging`.
"""

from minidns.lessons.judging import Judging, Question, Verdict, Walked, attempt, holds
from minidns.lessons.lesson import Lesson, Look, Step
from minidns.lessons.reading import FOLDER, LessonError, find, known, read
from minidns.lessons.words import Words

__all__ = [
    "FOLDER", "Judging", "Lesson", "LessonError", "Look", "Question", "Step", "Verdict", "Walked", "Words", "attempt",
    "find", "holds", "known", "read",
]  # fmt: skip
