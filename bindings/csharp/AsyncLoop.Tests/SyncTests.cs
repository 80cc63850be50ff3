// SPDX-License-Identifier: MIT
using Xunit;

namespace AsyncLoop.Tests;

public class SyncTests
{
    [Fact]
    public void ALockIsFair() => Support.Run(async () =>
    {
        using var it = new LoopLock();
        var order = new List<int>();
        async Task Hold(int n)
        {
            using (await it.EnterAsync())
            {
                order.Add(n);
                await Loop.Sleep(1);
            }
        }
        await Task.WhenAll(Hold(1), Hold(2), Hold(3));
        Assert.Equal([1, 2, 3], order);
        Assert.Equal(3, Support.Now, 3);
        Assert.False(it.IsLocked);
        Assert.Equal(Status.NotOwner, Assert.Throws<AloopException>(it.Release).Status);
    });

    [Fact]
    public void ACancelledWaiterPassesItsTurnOn() => Support.Run(async () =>
    {
        using var it = new LoopLock();
        await it.AcquireAsync();
        LoopTask<Nothing> a = Loop.Spawn(() => it.AcquireAsync()),
            b = Loop.Spawn(() => it.AcquireAsync());
        await Loop.Sleep(1);
        a.Cancel();
        it.Release();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await a);
        await b;
        Assert.True(it.IsLocked);
        // The other way round it has the lock, and nobody thinks that it has not.
        LoopTask<Nothing> c = Loop.Spawn(() => it.AcquireAsync());
        await Loop.Sleep(1);
        it.Release();
        c.Cancel();
        await c;
        Assert.True(it.IsLocked);
    });

    [Fact]
    public void EventsConditionsSemaphores() => Support.Run(async () =>
    {
        using var happened = new LoopEvent();
        LoopTask<Nothing> waiting = Loop.Spawn(() => happened.WaitAsync());
        await Loop.Sleep(1);
        Assert.False(happened.IsSet);
        happened.Set();
        await waiting;
        happened.Clear();
        Assert.False(happened.IsSet);

        using var condition = new LoopCondition();
        int level = 0;
        LoopTask<Nothing> high = Loop.Spawn(async () =>
        {
            using (await condition.EnterAsync()) await condition.WaitForAsync(() => level >= 2);
        });
        for (int i = 0; i < 2; i++)
        {
            await Loop.Sleep(1);
            using (await condition.EnterAsync())
            {
                level++;
                Assert.Equal(1, condition.NotifyAll());
            }
        }
        await high;
        Assert.Equal(Status.NotOwner, Assert.Throws<AloopException>(() => condition.Notify())
            .Status);

        using var two = new LoopSemaphore(2, bounded: true);
        await two.AcquireAsync();
        using (await two.EnterAsync()) Assert.True(two.IsLocked);
        Assert.Equal(1, two.Value);
        two.Release();
        Assert.Throws<AloopException>(two.Release);
    });

    [Fact]
    public void BarriersLetAllGoTogether() => Support.Run(async () =>
    {
        using var barrier = new LoopBarrier(3);
        async Task<int> Arrive(double after)
        {
            await Loop.Sleep(after);
            return await barrier.WaitAsync();
        }
        int[] places = await Task.WhenAll(Arrive(2), Arrive(1), Arrive(0));
        Assert.Equal([2, 1, 0], places);
        LoopTask<int> broken = Loop.Spawn(() => Arrive(0));
        await Loop.Sleep(1);
        Assert.Equal(1, barrier.Waiting);
        await barrier.AbortAsync();
        Assert.Equal(Status.BrokenBarrier,
            (await Assert.ThrowsAsync<AloopException>(async () => await broken)).Status);
        Assert.True(barrier.IsBroken);
        await barrier.ResetAsync();
        Assert.False(barrier.IsBroken);
    });

    [Fact]
    public void ReadersTogetherWritersAlone() => Support.Run(async () =>
    {
        using var it = new LoopReadWriteLock();
        int readers = 0, most = 0;
        async Task Read()
        {
            using (await it.EnterReadAsync())
            {
                most = Math.Max(most, ++readers);
                await Loop.Sleep(1);
                readers--;
            }
        }
        async Task Write()
        {
            using (await it.EnterWriteAsync()) Assert.Equal(0, readers);
        }
        await Task.WhenAll(Read(), Read(), Write(), Read());
        Assert.Equal(2, most);
    });

    [Fact]
    public void LimitersAndOnce() => Support.Run(async () =>
    {
        using var limiter = new LoopCapacityLimiter(1);
        using (await limiter.EnterAsync())
        {
            Assert.Equal(1, limiter.Borrowed);
            Assert.Equal(Status.Exists,
                (await Assert.ThrowsAsync<AloopException>(() => limiter.AcquireAsync())).Status);
            LoopTask<bool> other = Loop.Spawn(() => Task.FromResult(limiter.TryAcquire()));
            Assert.False(await other);
        }
        limiter.Total = 5;
        Assert.Equal(5, limiter.Total);

        using var rate = new LoopRateLimiter(10, 1);
        for (int i = 0; i < 11; i++) await rate.AcquireAsync();
        Assert.Equal(1, Support.Now, 3);
        Assert.False(rate.TryAcquire());

        using var once = new LoopOnce<string>();
        int made = 0;
        async Task<string> Make()
        {
            await Loop.Sleep(1);
            if (++made == 1) throw new FormatException();
            return "made";
        }
        await Assert.ThrowsAsync<FormatException>(() => once.GetOrInitAsync(Make));
        Assert.False(once.IsFull);
        string[] all = await Task.WhenAll(once.GetOrInitAsync(Make), once.GetOrInitAsync(Make));
        Assert.True(all is ["made", "made"]);
        Assert.Equal(2, made);
    });

    [Fact]
    public void PlainFutures() => Support.Run(async () =>
    {
        using var answer = new LoopFuture<string>();
        LoopTask<string> waiting = Loop.Spawn(() => answer.WaitAsync());
        await Loop.Sleep(1);
        Assert.False(answer.IsCompleted);
        answer.SetResult("yes");
        Assert.Equal("yes", await waiting);
        Assert.Equal("yes", await answer);
        Assert.Equal(Status.InvalidState,
            Assert.Throws<AloopException>(() => answer.SetResult("no")).Status);
        using var failing = new LoopFuture<int>();
        var mine = new FormatException();
        failing.SetException(mine);
        Assert.Same(mine, await Assert.ThrowsAsync<FormatException>(async () => await failing));
        using var cancelled = new LoopFuture<int>();
        LoopTask<int> awaiting = Loop.Spawn(() => cancelled.WaitAsync());
        await Loop.Sleep(1);
        awaiting.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await awaiting);
        Assert.True(cancelled.IsCanceled);
    });

    // Disposed of twice it must not release what is another's by now.
    [Fact]
    public void AReleaserReleasesOnce() => Support.Run(async () =>
    {
        using var mine = new LoopLock();
        Releaser first = await mine.EnterAsync();
        first.Dispose();
        using Releaser second = await mine.EnterAsync();
        first.Dispose();
        Assert.True(mine.IsLocked);
    });

    // Whoever has given up does not get in later, with nobody there to leave.
    [Fact]
    public void WhoWaitsNoLongerDoesNotEnter() => Support.Run(async () =>
    {
        using var one = new LoopLock();
        using var other = new LoopCondition();
        using var permits = new LoopSemaphore(0);
        using var shared = new LoopReadWriteLock();
        await one.AcquireAsync();
        await other.AcquireAsync();
        await shared.AcquireWriteAsync();
        var entering = new Func<Task<Releaser>>[]
        {
            () => one.EnterAsync(), () => other.EnterAsync(), () => permits.EnterAsync(),
            () => shared.EnterReadAsync(), () => shared.EnterWriteAsync(),
        };
        foreach (Func<Task<Releaser>> enter in entering)
        {
            await Assert.ThrowsAsync<TimeoutException>(
                () => Loop.WaitFor(enter(), TimeSpan.FromSeconds(1)));
        }
        one.Release();
        other.Release();
        permits.Release();
        shared.ReleaseWrite();
        await Loop.Sleep(1);
        Assert.False(one.IsLocked || other.IsLocked || permits.IsLocked);
        using (await shared.EnterWriteAsync()) { }
    });
}
