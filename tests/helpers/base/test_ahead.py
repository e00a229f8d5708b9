"""Protects working ahead: order, errors where their results would have come, and no more than one ahead."""

import threading

import pytest

from helpers.base.ahead import one_ahead


def test_results_come_in_order_and_one_is_worked_on_meanwhile():
    begun, may_go_on = [], threading.Event()

    def work(number):
        begun.append(number)
        if number == 1:
            assert may_go_on.wait(10)  # until the caller has the result before: else this would hang
        return number * number

    results = one_ahead(work, range(4))
    assert next(results) == 0
    may_go_on.set()
    assert list(results) == [1, 4, 9]
    assert begun == [0, 1, 2, 3]


def test_never_more_than_one_ahead():
    begun = []
    results = one_ahead(begun.append, range(5))
    for count in range(1, 6):
        next(results)
        assert len(begun) <= count + 1
    assert list(one_ahead(begun.append, [])) == []


def test_errors_come_where_the_results_would_have_come():
    results = one_ahead(lambda number: 1 / number, [2, 0, 4])
    assert next(results) == 0.5
    with pytest.raises(ZeroDivisionError):
        next(results)
