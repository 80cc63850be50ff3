// SPDX-License-Identifier: MIT
using Xunit;

namespace AsyncLoop.Tests;

public class TaskTests
{
    private static async Task<int> After(double seconds, int result)
    {
        await Loop.Sleep(seconds);
        return result;
    }

    [Fact]
    public void SpawnAndAwait() => Support.Run(async () =>
    {
        LoopTask<int> task = Loop.Spawn(() => After(1, 7), "seven");
        Assert.Equal("seven", task.Name);
        Assert.False(task.IsCompleted);
        Assert.Equal(7, await task);
        Assert.Equal(7, await task);
        Assert.Equal(7, await task.AsTask());
        Assert.False(task.Cancel());
        Assert.Equal("seven", task.Name);
    });

    [Fact]
    public void TheExceptionItselfReachesTheAwaitingSide() => Support.Run(async () =>
    {
        var mine = new FormatException("mine");
        LoopTask<int> task = Loop.Spawn<int>(async () =>
        {
            await Loop.Sleep(1);
            throw mine;
        });
        Assert.Same(mine, await Assert.ThrowsAsync<FormatException>(async () => await task));
        Assert.Same(mine, await Assert.ThrowsAsync<FormatException>(() => task.AsTask()));
    });

    [Fact]
    public void CancelReachesTheInnermostAwait() => Support.Run(async () =>
    {
        bool seen = false;
        LoopTask<int> inner = Loop.Spawn(() => After(10, 1));
        LoopTask<int> outer = Loop.Spawn(async () =>
        {
            try
            {
                return await inner;
            }
            catch (OperationCanceledException)
            {
                seen = true;
                throw;
            }
        });
        await Loop.Sleep(1);
        Assert.True(outer.Cancel());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await outer);
        Assert.True(seen);
        Assert.True(inner.AsTask().IsCanceled);
        Assert.Equal(1, Support.Now, 3);
    });

    [Fact]
    public void ATokenCancelsAnOperation() => Support.Run(async () =>
    {
        using var source = new CancellationTokenSource();
        Loop.Current.CallLater(TimeSpan.FromSeconds(1), source.Cancel);
        var e = await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            Loop.Sleep(5, source.Token));
        Assert.Equal(source.Token, e.CancellationToken);
        Assert.Equal(1, Support.Now, 3);
        Task never = Loop.Sleep(1, source.Token);
        Assert.True(never.IsCanceled);
        e = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => never);
        Assert.Equal(source.Token, e.CancellationToken);
        using var unused = new CancellationTokenSource();
        LoopTask<Nothing> task = Loop.Spawn(() => Loop.Sleep(1, unused.Token));
        await Loop.Sleep(0);
        task.Cancel();
        e = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await task);
        Assert.NotEqual(unused.Token, e.CancellationToken);
    });

    [Fact]
    public void CancelInterruptsForeignTasksThroughTheCurrentToken() => Support.Run(async () =>
    {
        LoopTask<Nothing> task = Loop.Spawn(() => Task.Delay(100_000, LoopTask.CurrentToken));
        await Loop.Sleep(0.01);
        task.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await task);
        // Where no operation was there to cancel, the next one is.
        LoopTask<Nothing> busy = Loop.Spawn(async () =>
        {
            await Task.Delay(20);
            await Loop.Sleep(1000);
        });
        await Loop.Sleep(0.001);
        busy.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await busy);
        // Or the token that is asked for next.
        var foreign = new TaskCompletionSource();
        LoopTask<Nothing> later = Loop.Spawn(async () =>
        {
            await foreign.Task;
            await Task.Delay(Timeout.Infinite, LoopTask.CurrentToken);
        });
        await Loop.Sleep(0);
        later.Cancel();
        await Loop.Sleep(0);
        foreign.SetResult();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => Loop.WaitFor(later, Support.Hang));
        // What the token has ended may clean up.
        bool cleaned = false;
        LoopTask<Nothing> tidy = Loop.Spawn(async () =>
        {
            try
            {
                await Task.Delay(Timeout.Infinite, LoopTask.CurrentToken);
            }
            finally
            {
                await Loop.Sleep(0.001);
                cleaned = true;
            }
        });
        await Loop.Sleep(0);
        tidy.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await tidy);
        Assert.True(cleaned);
    }, new LoopOptions());

    [Fact]
    public void GatherAndItsFailures() => Support.Run(async () =>
    {
        int[] both = await Loop.Gather(After(2, 1), After(1, 2));
        Assert.Equal([1, 2], both);
        LoopTask<int> bad = Loop.Spawn<int>(async () =>
        {
            await Loop.Sleep(1);
            throw new FormatException();
        });
        LoopTask<int> good = Loop.Spawn(() => After(2, 5));
        await Assert.ThrowsAsync<FormatException>(() => Loop.Gather<int>(bad, good));
        Assert.Equal(5, await good);
        Outcome<int>[] all = await Loop.GatherOutcomes<int>(bad, good);
        Assert.IsType<FormatException>(all[0].Error);
        Assert.Equal(5, all[1].Value);
        Assert.Empty(await Loop.Gather<int>());
        int[] spawned = await Loop.Gather(Loop.Spawn(() => After(2, 1)),
            Loop.Spawn(() => After(1, 2)));
        Assert.Equal([1, 2], spawned);
        var ended = new List<int>();
        await foreach (Task<int> one in Loop.AsCompleted([Loop.Spawn(() => After(2, 1)),
            Loop.Spawn(() => After(1, 2))]))
        {
            ended.Add(await one);
        }
        Assert.Equal([2, 1], ended);
        Assert.Equal(7, (await Loop.GatherOutcomes(Loop.Spawn(() => After(1, 7))))[0].Value);
    });

    [Fact]
    public void WhatIsNotThereIsNotGathered() => Support.Run(async () =>
    {
        LoopTask<int> good = Loop.Spawn(() => After(1, 5));
        await Assert.ThrowsAsync<ArgumentNullException>(() => Loop.Gather<int>(good, null!));
        await Assert.ThrowsAsync<ArgumentNullException>(() => Loop.Wait([good.AsTask(), null!]));
        Assert.Equal(5, await good);
    });

    [Fact]
    public void CancellingAGatherCancelsAll() => Support.Run(async () =>
    {
        LoopTask<int> a = Loop.Spawn(() => After(9, 1)), b = Loop.Spawn(() => After(9, 1));
        LoopTask<int[]> all = Loop.Spawn(() => Loop.Gather<int>(a, b));
        await Loop.Sleep(1);
        all.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await all);
        Assert.True(a.AsTask().IsCanceled && b.AsTask().IsCanceled);
    });

    [Fact]
    public void WaitForTimesOutAndCancels() => Support.Run(async () =>
    {
        Assert.Equal(3, await Loop.WaitFor(() => After(1, 3), TimeSpan.FromSeconds(2)));
        LoopTask<int> slow = Loop.Spawn(() => After(10, 1));
        await Assert.ThrowsAsync<TimeoutException>(() =>
            Loop.WaitFor(slow, TimeSpan.FromSeconds(2)));
        Assert.True(slow.AsTask().IsCanceled);
        Assert.Equal(3, Support.Now, 3);
        Task sleep = Loop.Sleep(10);
        await Assert.ThrowsAsync<TimeoutException>(() =>
            Loop.WaitFor(sleep, TimeSpan.FromSeconds(1)));
        Assert.True(sleep.IsCanceled);
        var foreign = new TaskCompletionSource<int>();
        await Assert.ThrowsAsync<TimeoutException>(() =>
            Loop.WaitFor(foreign.Task, TimeSpan.FromSeconds(1)));
        Assert.Equal(5, Support.Now, 3);
    });

    [Fact]
    public void ShieldLeavesItRunning() => Support.Run(async () =>
    {
        LoopTask<int> kept = Loop.Spawn(() => After(2, 4));
        LoopTask<int> waiting = Loop.Spawn(() => Loop.Shield(kept));
        await Loop.Sleep(1);
        waiting.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await waiting);
        Assert.Equal(4, await kept);
        Assert.Equal(2, Support.Now, 3);
    });

    [Fact]
    public void WaitTellsDoneFromPending() => Support.Run(async () =>
    {
        Task<int> a = Loop.Spawn(() => After(1, 1)), b = Loop.Spawn(() => After(3, 1));
        var (done, pending) = await Loop.Wait([a, b], returnWhen: ReturnWhen.FirstCompleted);
        Assert.Equal([a], done);
        Assert.Equal([b], pending);
        (done, pending) = await Loop.Wait([a, b], TimeSpan.FromSeconds(1));
        Assert.Equal([a], done);
        Assert.Equal([b], pending);
        Assert.Equal(2, Support.Now, 3);
        (done, _) = await Loop.Wait([a, b]);
        Assert.Equal(2, done.Length);
    });

    // Who is cancelled before he waits cancels what he would have waited for.
    [Fact]
    public void ACancelledWaitLeavesNothingRunning() => Support.Run(async () =>
    {
        var ran = new List<string>();
        Func<Task<int>> Child(string name) => async () =>
        {
            await Loop.Sleep(1);
            ran.Add(name);
            return 1;
        };
        TimeSpan limit = TimeSpan.FromSeconds(9);
        var cancelled = new CancellationToken(true);
        LoopTask<int> one = Loop.Spawn(Child("one")), two = Loop.Spawn(Child("two"));
        var waits = new Func<Task>[]
        {
            () => Loop.WaitFor(Child("spawned"), limit, cancelled),
            () => Loop.WaitFor(one, limit, cancelled),
            Late(() => Loop.WaitFor(Child("spawned late"), limit)),
            Late(async () => await two),
        };
        foreach (Func<Task> wait in waits)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(wait);
        }
        await Loop.Sleep(10);
        Assert.Empty(ran);

        // In a task that is cancelled while it awaits what the loop cannot cancel.
        Func<Task> Late(Func<Task> wait) => async () =>
        {
            var foreign = new TaskCompletionSource();
            LoopTask<Nothing> task = Loop.Spawn(async () =>
            {
                await foreign.Task;
                await wait();
            });
            await Loop.Sleep(0);
            task.Cancel();
            await Loop.Sleep(0);
            foreign.SetResult();
            await task;
        };
    });
}
