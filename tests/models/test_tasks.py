"""The table of tasks: what every task has to be for prompts and answers to be told apart."""

import pytest

from models.prompt import encode
from models.tasks import ANSWERS, TASK_NAMES, TASKS, Task, answer_columns

tasks = pytest.mark.parametrize("task", TASKS.values(), ids=TASK_NAMES)


@tasks
def test_a_task_is_said_in_several_ways_that_no_other_task_has(task: Task) -> None:
    for ways in (task.instructions, task.questions):
        assert 4 <= len(ways) <= 6
        assert len(set(ways)) == len(ways)
        for way in ways:
            assert way.startswith(" ")
            assert encode(way)
    others = [other for other in TASKS.values() if other is not task]
    for other in others:
        assert not set(task.instructions) & set(other.instructions)
        assert not set(task.questions) & set(other.questions)


@tasks
def test_each_option_is_one_word_of_the_vocabulary(task: Task) -> None:
    assert TASKS[task.name] is task
    assert len(task.options) >= 3
    assert all(len(encode(option)) == 1 for option in task.options)
    columns = answer_columns(task.name)
    assert len(set(columns)) == len(task.options)
    assert tuple(ANSWERS[column] for column in columns) == task.options


def test_copies_come_first_and_side_by_side() -> None:
    """The network adds to these logits what counts of reads say."""
    assert answer_columns("copies") == (0, 1, 2)
    shared = {"copies": TASKS["copies"].options}
    for name, task in TASKS.items():
        if name != "copies":
            assert not set(task.options) & set(shared["copies"])
