"""Who generates next."""

import asyncio

from serving.turns import Turns


async def _order(turns, ranks, *, cancel=()):
    order = []

    async def one(index, rank):
        async with turns.turn(rank):
            order.append(index)
            await asyncio.sleep(0.01)

    tasks = []
    for index, rank in enumerate(ranks):
        tasks.append(asyncio.create_task(one(index, rank)))
        await asyncio.sleep(0)
    for index in cancel:
        tasks[index].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return order


def test_interactive_goes_first_and_equals_in_order():
    assert asyncio.run(_order(Turns(1), [10, 10, 1, 10, 1])) == [0, 2, 4, 1, 3]


def test_a_turn_that_is_given_up_goes_to_the_next():
    assert asyncio.run(_order(Turns(1), [1, 1, 1, 1], cancel=[0, 2])) == [0, 1, 3]


def test_as_many_as_it_is_wide():
    async def most():
        turns, now, seen = Turns(2), 0, 0

        async def one():
            nonlocal now, seen
            async with turns.turn(1):
                now += 1
                seen = max(seen, now)
                await asyncio.sleep(0.005)
                now -= 1

        await asyncio.gather(*(one() for _ in range(7)))
        return seen

    assert asyncio.run(most()) == 2


def test_closed_gives_none_and_takes_none_away():
    async def closed():
        turns = Turns(1)
        async with turns.turn(1):
            waiting = asyncio.create_task(_order(turns, [1]))
            await asyncio.sleep(0)
            turns.close()
        done, _ = await asyncio.wait({waiting}, timeout=0.05)
        waiting.cancel()
        return done

    assert asyncio.run(closed()) == set()
