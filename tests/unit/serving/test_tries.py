"""How often an address may be wrong in a while."""

from serving.web.tries import Tries


def test_an_address_waits_when_it_was_wrong_too_often_and_others_do_not():
    now = [100.0]
    tries = Tries(3, 60.0, clock=lambda: now[0])
    for second in range(3):
        now[0] = 100.0 + second
        assert tries.wait_seconds("a") == 0
    assert tries.wait_seconds("a") == 58
    assert tries.wait_seconds("b") == 0
    now[0] = 159.5
    assert tries.wait_seconds("a") == 1
    now[0] = 160.5
    assert tries.wait_seconds("a") == 0, "the first try is a minute old"
    assert tries.wait_seconds("a") == 1


def test_what_was_right_is_not_counted():
    tries = Tries(2, 60.0, clock=lambda: 0.0)
    for _ in range(10):
        assert tries.wait_seconds("a") == 0
        tries.forgive("a")
    assert tries.wait_seconds("a") == 0
    assert tries.wait_seconds("a") == 0
    assert tries.wait_seconds("a") == 60


def test_memory_is_bounded():
    tries = Tries(1, 60.0, clock=lambda: 0.0)
    for number in range(10_000):
        tries.wait_seconds(str(number))
    assert tries.wait_seconds("9999") == 60
    assert tries.wait_seconds("0") == 0
