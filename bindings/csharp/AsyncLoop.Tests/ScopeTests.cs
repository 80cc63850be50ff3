// SPDX-License-Identifier: MIT
using Xunit;

namespace AsyncLoop.Tests;

public class ScopeTests
{
    [Fact]
    public void ATimeoutCancelsTheInnermostAwait() => Support.Run(async () =>
    {
        bool seen = false;
        await Assert.ThrowsAsync<TimeoutException>(() =>
            Loop.Timeout(TimeSpan.FromSeconds(1), async () =>
        {
            try
            {
                await Loop.Sleep(10);
            }
            catch (OperationCanceledException)
            {
                seen = true;
                throw;
            }
        }));
        Assert.True(seen);
        Assert.Equal(1, Support.Now, 3);
        Assert.Equal(0, LoopTask.Current!.Cancelling);
        await Loop.Sleep(1);
    });

    [Fact]
    public void ATimeoutCanBeRescheduled() => Support.Run(async () =>
    {
        int result = await Loop.Timeout(TimeSpan.FromSeconds(1), async timeout =>
        {
            timeout.Reschedule(TimeSpan.FromSeconds(5));
            Assert.Equal(5, timeout.When!.Value.TotalSeconds, 3);
            await Loop.Sleep(3);
            timeout.Reschedule(null);
            Assert.Null(timeout.When);
            Assert.False(timeout.Expired);
            await Loop.Sleep(10);
            return 5;
        });
        Assert.Equal(5, result);
        await Assert.ThrowsAsync<FormatException>(() =>
            Loop.Timeout(TimeSpan.FromSeconds(1), () => throw new FormatException()));
    });

    [Fact]
    public void TimeoutsNest() => Support.Run(async () =>
    {
        await Assert.ThrowsAsync<TimeoutException>(() =>
            Loop.Timeout(TimeSpan.FromSeconds(2), async () =>
        {
            await Assert.ThrowsAsync<TimeoutException>(() =>
                Loop.Timeout(TimeSpan.FromSeconds(1), () => Loop.Sleep(9)));
            await Loop.Sleep(9);
        }));
        Assert.Equal(2, Support.Now, 3);
    });

    [Fact]
    public void AGroupWaitsForItsTasks() => Support.Run(async () =>
    {
        LoopTask<int>? a = null;
        await TaskGroup.Run(async group =>
        {
            a = group.Spawn(async () =>
            {
                await Loop.Sleep(2);
                return 4;
            });
            _ = group.Spawn(() => Loop.Sleep(1));
            await Task.Yield();
        });
        Assert.Equal(2, Support.Now, 3);
        Assert.Equal(4, await a!);
    });

    [Fact]
    public void AFailureEndsTheGroupAndItsBlock() => Support.Run(async () =>
    {
        var mine = new FormatException("mine");
        LoopTask<Nothing>? other = null;
        var all = await Assert.ThrowsAsync<AggregateException>(() => TaskGroup.Run(async group =>
        {
            other = group.Spawn(() => Loop.Sleep(100));
            _ = group.Spawn(async () =>
            {
                await Loop.Sleep(1);
                throw mine;
            });
            await Loop.Sleep(100);
        }));
        Assert.Same(mine, Assert.Single(all.InnerExceptions));
        Assert.True(other!.AsTask().IsCanceled);
        Assert.Equal(0, LoopTask.Current!.Cancelling);
        var body = await Assert.ThrowsAsync<AggregateException>(() =>
            TaskGroup.Run(_ => throw mine));
        Assert.Same(mine, Assert.Single(body.InnerExceptions));
        await Loop.Sleep(1);
    });

    [Fact]
    public void AGroupCanBeCancelledFromInsideAndOutside() => Support.Run(async () =>
    {
        await TaskGroup.Run(async group =>
        {
            _ = group.Spawn(() => Loop.Sleep(100));
            await Loop.Sleep(1);
            group.Cancel();
            await Loop.Sleep(100);
        });
        Assert.Equal(1, Support.Now, 3);
        LoopTask<Nothing>? inner = null;
        LoopTask<Nothing> outer = Loop.Spawn(() => TaskGroup.Run(group =>
        {
            inner = group.Spawn(() => Loop.Sleep(100));
            return Task.CompletedTask;
        }));
        await Loop.Sleep(1);
        outer.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await outer);
        Assert.True(inner!.AsTask().IsCanceled);
    });

    [Fact]
    public void TheTasksOfAGroupBeginOthersAfterItsBody() => Support.Run(async () =>
    {
        string trace = "";
        await TaskGroup.Run(group =>
        {
            group.Spawn(async () =>
            {
                await Loop.Sleep(1);
                _ = group.Spawn(async () =>
                {
                    await Loop.Sleep(1);
                    trace += "child";
                });
            });
            trace += "body, ";
            return Task.CompletedTask;
        });
        Assert.Equal("body, child", trace);
        Assert.Equal(2, Support.Now, 3);
    });

    [Fact]
    public void AFinishedGroupTakesNoTasks() => Support.Run(async () =>
    {
        TaskGroup? kept = null;
        await TaskGroup.Run(group =>
        {
            kept = group;
            return Task.CompletedTask;
        });
        Assert.Equal(Status.ShutDown,
            Assert.Throws<AloopException>(() => { kept!.Spawn(() => Loop.Sleep(1)); }).Status);
        kept!.Cancel();  // nothing is left
    });

    // What is negative is over, but -1 ms is .NET's word for no limit.
    [Fact]
    public void TimeoutsThatAreOverOrNone() => Support.Run(async () =>
    {
        LoopTask<Nothing> sleeper = Loop.Spawn(() => Loop.Sleep(1));
        (_, Task[] pending) = await Loop.Wait([sleeper.AsTask()], TimeSpan.FromMinutes(-1));
        Assert.Equal([sleeper.AsTask()], pending);
        Assert.True(Support.Now < 1);
        (_, pending) = await Loop.Wait([sleeper.AsTask()], Timeout.InfiniteTimeSpan);
        Assert.Empty(pending);
        await Loop.WaitFor(() => Loop.Sleep(1), Timeout.InfiniteTimeSpan);
        foreach (Func<Task> endless in new Func<Task>[] { () => Loop.Delay(Timeout.Infinite),
            () => Loop.Sleep(Timeout.InfiniteTimeSpan) })
        {
            LoopTask<Nothing> forever = Loop.Spawn(endless);
            await Loop.Sleep(1_000_000);
            Assert.False(forever.IsCompleted);
            forever.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await forever);
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = Loop.Delay(-2); });
    });

    [Fact]
    public void AsCompletedGivesTheFastestFirst() => Support.Run(async () =>
    {
        async Task<int> After(double seconds)
        {
            await Loop.Sleep(seconds);
            return (int)seconds;
        }
        var order = new List<int>();
        await foreach (Task<int> task in Loop.AsCompleted([After(3), After(1),
            After(2)])) order.Add(await task);
        Assert.Equal([1, 2, 3], order);
        await Assert.ThrowsAsync<TimeoutException>(async () =>
        {
            await foreach (Task<int> _ in Loop.AsCompleted([After(9)], TimeSpan.FromSeconds(1))) { }
        });
    });

    // One that ends early would end the others, too.
    [Fact]
    public void BlocksStandInEachOtherNotSideBySide() => Support.Run(async () =>
    {
        static Task Limited(double limit, double work) =>
            Loop.Timeout(TimeSpan.FromSeconds(limit), () => Loop.Sleep(work));
        static Task Grouped() => TaskGroup.Run(_ => Loop.Sleep(1));
        foreach (Func<Task> beside in new Func<Task>[] { () => Limited(9, 1), Grouped })
        {
            Task first = Limited(9, 2);
            await Assert.ThrowsAsync<InvalidOperationException>(beside);
            await first;
            await beside();
        }
        // In tasks of their own they may be.
        LoopTask<Nothing>[] all =
        [
            Loop.Spawn(() => Limited(1, 9)), Loop.Spawn(() => Limited(9, 2)), Loop.Spawn(Grouped),
        ];
        await Assert.ThrowsAsync<TimeoutException>(async () => await all[0]);
        await all[1];
        await all[2];
        // One in another, also in a method that outlives it.
        Task? inner = null;
        await Loop.Timeout(TimeSpan.FromSeconds(9), async () =>
        {
            await Grouped();
            inner = Limited(9, 1);
        });
        await inner!;
        await TaskGroup.Run(group =>
        {
            _ = group.Spawn(() => Limited(9, 1));
            return Limited(9, 1);
        });
    });
}
