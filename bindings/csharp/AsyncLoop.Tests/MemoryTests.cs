// Collections at every turn: nothing that C still calls is collected, and nothing stays.
// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using Xunit;

namespace AsyncLoop.Tests;

public partial class MemoryTests
{
    private const int Futures = 100_000;
    private const int Together = 50;

    [Fact]
    public void AHundredThousandFuturesComeAndGo() => Support.Run(async () =>
    {
        int callbacks = 0;
        for (int done = 0; done < Futures; done += Together)
        {
            var tasks = new Task[Together];
            for (int i = 0; i < Together; i++)
            {
                int n = done + i;
                tasks[i] = (n % 5) switch
                {
                    0 => Loop.Sleep(0.001),
                    1 => Loop.Spawn(() => Loop.Sleep(0)).AsTask(),
                    2 => AwaitFuture(n),
                    3 => PutAndGet(n),
                    _ => CallBack(),
                };
            }
            await Task.WhenAll(tasks);
            // The young generation every few callbacks, all of them now and then.
            GC.Collect(done % 5000 == 0 ? 2 : 0, GCCollectionMode.Forced, blocking: true);
        }
        Assert.Equal(Futures / 5, callbacks);

        async Task AwaitFuture(int n)
        {
            using var future = new LoopFuture<object>();
            var it = new object();
            Loop.Current.CallSoon(() => future.SetResult(it));
            Assert.Same(it, await future);
        }

        async Task PutAndGet(int n)
        {
            using var queue = new LoopQueue<string>(1);
            Task<string> get = queue.GetAsync();
            await queue.PutAsync($"{n}");
            Assert.Equal($"{n}", await get);
        }

        Task CallBack()
        {
            var source = new TaskCompletionSource();
            Loop.Current.CallLater(TimeSpan.FromMilliseconds(1), () =>
            {
                callbacks++;
                source.SetResult();
            });
            return source.Task;
        }
    });

    [Fact]
    public void WhatIsDroppedUnusedIsFreed()
    {
        Support.Run(async () =>
        {
            for (int i = 0; i < 1000; i++)
            {
                _ = new LoopLock();
                new LoopQueue<string>().PutNoWait("never taken");
                _ = LoopChannel.Create<int>();
                _ = new LoopFuture<int>();
                _ = Loop.Spawn(() => Task.CompletedTask);
            }
            await Loop.Sleep(1);
        });
    }

    [LibraryImport("fibers")]
    private static partial IntPtr fibers_start(int n);

    [LibraryImport("fibers")]
    private static partial void fibers_stop();

    [LibraryImport("fibers")]
    private static partial long fibers_switches();

    [Fact]
    public void FibersOfCBesideManagedCodeAndTheCollector() => Support.Run(async () =>
    {
        using var stop = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!stop.Token.WaitHandle.WaitOne(1))
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
            }
        });
        collector.Start();
        Loop loop = Loop.Current;
        Task<long> fibers = Operations.Start(loop, () =>
            fibers_start(32), Combine.DropResults, default);
        int callbacks = 0, thrown = 0, threads = 0;
        for (int i = 0; i < 200; i++)
        {
            loop.CallSoon(() =>
            {
                callbacks++;
                try
                {
                    Deep(50);
                }
                catch (FormatException)
                {
                    thrown++;
                }
            });
            await Loop.Sleep(0.0005);
            if (i % 20 == 0) threads += await Loop.RunInThread(() =>
                new byte[1000].Length > 0 ? 1 : 0);
        }
        fibers_stop();
        Assert.Equal(32, await fibers);
        stop.Cancel();
        collector.Join();
        Assert.Equal(200, callbacks);
        Assert.Equal(200, thrown);
        Assert.Equal(10, threads);
        Assert.True(fibers_switches() > 1000);

        static int Deep(int n) =>
            n == 0 ? throw new FormatException() : Deep(n - 1) + new byte[n].Length;
    }, new LoopOptions());
}
