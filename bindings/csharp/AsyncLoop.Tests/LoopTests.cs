// SPDX-License-Identifier: MIT
using Xunit;

namespace AsyncLoop.Tests;

public class LoopTests
{
    [Fact]
    public void RunGivesTheResult()
    {
        int result = Loop.Run(async () =>
        {
            await Loop.Sleep(1.5);
            Assert.Equal(1.5, Support.Now, 3);
            return 42;
        }, Support.Virtual);
        Assert.Equal(42, result);
        Support.NothingIsLeft();
    }

    [Fact]
    public void RunThrowsWhatMainThrows()
    {
        var mine = new InvalidOperationException("mine");
        Exception seen = Assert.Throws<InvalidOperationException>(() => Loop.Run(async () =>
        {
            await Loop.Sleep(1);
            throw mine;
        }, Support.Virtual));
        Assert.Same(mine, seen);
        Support.NothingIsLeft();
    }

    [Fact]
    public void CodeAfterAnAwaitRunsOnTheLoopsThread() => Support.Run(async () =>
    {
        int thread = Environment.CurrentManagedThreadId;
        await Task.Yield();
        Assert.Equal(thread, Environment.CurrentManagedThreadId);
        await Task.Delay(5);
        Assert.Equal(thread, Environment.CurrentManagedThreadId);
        int other = await Task.Run(() => Environment.CurrentManagedThreadId);
        Assert.NotEqual(thread, other);
        Assert.Equal(thread, Environment.CurrentManagedThreadId);
        int scheduled = await Task.Factory.StartNew(() => Environment.CurrentManagedThreadId,
            CancellationToken.None, TaskCreationOptions.None, Loop.Current.Scheduler);
        Assert.Equal(thread, scheduled);
        int through = await Task.Factory.StartNew(() => Environment.CurrentManagedThreadId,
            CancellationToken.None, TaskCreationOptions.None,
                TaskScheduler.FromCurrentSynchronizationContext());
        Assert.Equal(thread, through);
    }, new LoopOptions());

    [Fact]
    public void HotMethodsRunSideBySide() => Support.Run(async () =>
    {
        async Task<int> After(double seconds, int result)
        {
            await Loop.Sleep(seconds);
            return result;
        }
        int[] results = await Task.WhenAll(After(3, 1), After(1, 2), After(2, 3));
        Assert.Equal([1, 2, 3], results);
        Assert.Equal(3, Support.Now, 3);
    });

    [Fact]
    public void TimersRunInOrderAndCanBeCancelled() => Support.Run(async () =>
    {
        var order = new List<string>();
        Loop loop = Loop.Current;
        loop.CallLater(TimeSpan.FromSeconds(2), () => order.Add("two"));
        loop.CallAt(TimeSpan.FromSeconds(1), () => order.Add("one"));
        LoopHandle never = loop.CallLater(TimeSpan.FromSeconds(1.5), () => order.Add("never"));
        Assert.Equal(1.5, never.When!.Value.TotalSeconds, 3);
        loop.CallSoon(() => order.Add("soon"));
        Assert.True(never.Cancel());
        Assert.False(never.Cancel());
        await Loop.Sleep(3);
        Assert.Equal(["soon", "one", "two"], order);
    });

    [Fact]
    public void PostsFromOtherThreadsArriveInOrder() => Support.Run(async () =>
    {
        Loop loop = Loop.Current;
        var seen = new List<int>();
        var all = new TaskCompletionSource();
        var threads = Enumerable.Range(0, 4).Select(n => new Thread(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                int item = n * 1000 + i;
                loop.Post(() =>
                {
                    seen.Add(item);
                    if (seen.Count == 4000) all.SetResult();
                });
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        await all.Task;
        threads.ForEach(t => t.Join());
        for (int n = 0; n < 4; n++)
        {
            Assert.Equal(Enumerable.Range(n * 1000, 1000), seen.Where(i => i / 1000 == n));
        }
    }, new LoopOptions());

    [Fact]
    public void InvokeAsyncRunsOnTheLoop() => Support.Run(async () =>
    {
        Loop loop = Loop.Current;
        int thread = Environment.CurrentManagedThreadId;
        int ran = await Task.Run(() => loop.InvokeAsync(async () =>
        {
            await Loop.Sleep(0.001);
            return Environment.CurrentManagedThreadId;
        }));
        Assert.Equal(thread, ran);
        await Assert.ThrowsAsync<FormatException>(() => Task.Run(() => loop.InvokeAsync(async () =>
        {
            await Loop.Sleep(0.001);
            throw new FormatException();
        })));
    }, new LoopOptions());

    [Fact]
    public async Task WhatAClosingLoopGetsEnds()
    {
        var loop = new Loop();
        Task<int> never = loop.InvokeAsync(() => Task.FromResult(1));
        var begun = new TaskCompletionSource();
        Task<int> late = Task.Run(() => loop.InvokeAsync(async () =>
        {
            begun.SetResult();
            await Loop.Sleep(100);
            return 2;
        }));
        loop.RunUntilComplete(() => begun.Task);
        Assert.Equal(1, await never);
        loop.Dispose();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => late);
        var unused = new Loop();
        Task<int> lost = unused.InvokeAsync(() => Task.FromResult(3));
        unused.Dispose();
        Assert.Equal(3, await lost);
        var faults = new List<string>();
        var other = new Loop { ExceptionHandler = fault => faults.Add(fault.Exception!.Message) };
        other.Post(() => throw new FormatException("posted"));
        Loop.Run(() =>
        {
            other.Dispose();  // it is closed without being run
            return Task.CompletedTask;
        });
        Assert.Equal(["posted"], faults);
        Support.NothingIsLeft();
    }

    [Fact]
    public void OperationsBeginFromAnyThread() => Support.Run(async () =>
    {
        await Task.Run(async () => await Loop.Sleep(0.01));
        await Loop.Sleep(0.001).ConfigureAwait(false);
        await Loop.Sleep(0.001).ConfigureAwait(false);
    }, new LoopOptions());

    [Fact]
    public void WhatNobodyHandlesIsReported() => Support.Run(async () =>
    {
        var faults = new List<LoopFault>();
        Loop.Current.ExceptionHandler = faults.Add;
        Loop.Current.CallSoon(() => throw new FormatException("in a callback"));
        LoopTask<Nothing> forgotten = Loop.Spawn(async () =>
        {
            await Loop.Sleep(1);
            throw new FormatException("in a task");
        });
        Assert.False(forgotten.IsCompleted);  // to look is not to handle
        await Loop.Sleep(2);
        Assert.Equal(["in a callback", "in a task"], faults.Select(f => f.Exception!.Message));
        Assert.True(forgotten.IsCompleted);
        var mine = new FormatException("in a future");
        using (var future = new LoopFuture<int>()) future.SetException(mine);
        Assert.Same(mine, faults[2].Exception);
    });

    [Fact]
    public void WhatIsLeftIsCancelledAtTheEnd()
    {
        string how = "";
        Support.Run(async () =>
        {
            _ = Loop.Spawn(async () =>
            {
                try
                {
                    await Loop.Sleep(100);
                }
                catch (OperationCanceledException)
                {
                    await Loop.Sleep(1);
                    how = "cancelled, and cleaned up";
                    throw;
                }
            });
            await Loop.Sleep(1);
        });
        Assert.Equal("cancelled, and cleaned up", how);
    }

    [Fact]
    public void MisuseIsAnError()
    {
        Assert.Equal(Status.NoRunningLoop, Assert.Throws<AloopException>(() => Loop.Current)
            .Status);
        Support.Run(async () =>
        {
            Assert.Equal(Status.LoopRunning,
                Assert.Throws<AloopException>(() => Loop.Run(() => Task.CompletedTask)).Status);
            Loop loop = Loop.Current;
            Assert.Equal(Status.WrongThread,
                (await Assert.ThrowsAsync<AloopException>(() => Task.Run(() =>
                loop.CallSoon(() => { })))).Status);
            await Assert.ThrowsAsync<AloopException>(() => Loop.Sleep(double.NaN));
        }, new LoopOptions());
        Loop closed = new();
        closed.Dispose();
        closed.Dispose();
        Assert.Throws<ObjectDisposedException>(() => closed.CallSoon(() => { }));
        Assert.Throws<ObjectDisposedException>(() => closed.Post(() => { }));
        Assert.Throws<ObjectDisposedException>(() =>
            closed.RunUntilComplete(() => Task.CompletedTask));
        Support.NothingIsLeft();
    }

    [Fact]
    public void StopAndTokenEndTheRun()
    {
        Assert.Equal(Status.LoopStopped, Assert.Throws<AloopException>(() => Loop.Run(async () =>
        {
            Loop.Current.CallLater(TimeSpan.FromSeconds(1), Loop.Current.Stop);
            await Loop.Sleep(2);
        }, Support.Virtual)).Status);
        using var source = new CancellationTokenSource(20);
        Assert.Equal(source.Token, Assert.ThrowsAny<OperationCanceledException>(() =>
            Loop.Run(() => Loop.Sleep(100), null, source.Token)).CancellationToken);
        Support.NothingIsLeft();
    }

    // Any may run it, or close it, but nobody takes it away from the thread that does.
    [Fact]
    public void ALoopBelongsToOneThreadAtATime()
    {
        var loop = new Loop();
        using var begun = new ManualResetEventSlim();
        var end = new TaskCompletionSource();
        var runner = new Thread(() => loop.RunUntilComplete(() =>
        {
            begun.Set();
            return end.Task;
        }));
        runner.Start();
        begun.Wait();
        var wrong = new Action[]
        {
            loop.Dispose, () => loop.RunUntilComplete(() => Task.CompletedTask),
        };
        foreach (Action one in wrong)
        {
            Assert.Equal(Status.LoopRunning, Assert.Throws<AloopException>(one).Status);
        }
        Assert.False(loop.IsClosed);
        end.SetResult();
        runner.Join();
        Assert.Equal(7, loop.RunUntilComplete(() => Task.FromResult(7)));
        var stopped = new Thread(() =>
        {
            loop.Stop();  // before it has come here
            Assert.Throws<AloopException>(() => loop.RunUntilComplete(() => Task.CompletedTask));
        });
        stopped.Start();
        stopped.Join();
        Assert.Equal(8, loop.RunUntilComplete(() => Task.FromResult(8)));
        var elsewhere = new Thread(loop.Dispose);
        elsewhere.Start();
        elsewhere.Join();
        Assert.True(loop.IsClosed);
        Support.NothingIsLeft();
    }

    // What another thread awaits does not bring its code to the loop, which it could block.
    [Fact]
    public void OtherThreadsStayWhatTheyAre() => Support.Run(async () =>
    {
        int thread = Environment.CurrentManagedThreadId;
        using var go = new LoopEvent();
        LoopTask<Nothing> task = Loop.Spawn(() => go.WaitAsync());
        using var future = new LoopFuture<int>();
        var begun = new TaskCompletionSource();
        int waiting = 3;
        async Task<int> After(Func<Task> what)
        {
            Task it = what();
            if (Interlocked.Decrement(ref waiting) == 0) begun.SetResult();
            await it;
            return Environment.CurrentManagedThreadId;
        }
        Task<int[]> threads = Task.WhenAll(Task.Run(() => After(() => go.WaitAsync())),
            Task.Run(() => After(() => future.WaitAsync())), Task.Run(() => After(task.AsTask)));
        await begun.Task;
        await Loop.Sleep(0);  // what they have begun is under way
        go.Set();
        future.SetResult(1);
        Assert.DoesNotContain(thread, await threads);
    }, new LoopOptions());

    // As Task.Run takes them along, and call_soon_threadsafe the context.
    [Fact]
    public void AsyncLocalsGoAlongToTheLoop() => Support.Run(async () =>
    {
        Loop loop = Loop.Current;
        var local = new AsyncLocal<string?>();
        var posted = new TaskCompletionSource<string?>();
        string? invoked = await Task.Run(() =>
        {
            local.Value = "mine";
            loop.Post(() => posted.SetResult(local.Value));
            return loop.InvokeAsync(async () =>
            {
                await Loop.Sleep(0);
                return local.Value;
            });
        });
        Assert.Equal(("mine", "mine"), (invoked, await posted.Task));
        Assert.Null(local.Value);
    }, new LoopOptions());
}
