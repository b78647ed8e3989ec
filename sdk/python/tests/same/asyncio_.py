import asyncio
async def slow(n):
    await asyncio.sleep(0.01 * (5 - n))
    return n * n
async def main():
    queue = asyncio.Queue()
    async def put():
        for n in range(3):
            await queue.put(n)
            await asyncio.sleep(0)
    task = asyncio.create_task(put())
    got = [await queue.get() for _ in range(3)]
    await task
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.01)
    except asyncio.TimeoutError:
        got.append("late")
    return got, await asyncio.gather(*map(slow, range(5)))
print(asyncio.run(main()))
