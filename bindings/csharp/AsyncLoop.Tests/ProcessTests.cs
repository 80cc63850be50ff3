// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Xunit;

namespace AsyncLoop.Tests;

public class ProcessTests
{
    private static readonly LoopOptions s_real = new();

    [Fact]
    public void ChildrenAndTheirPipes() => Support.Run(async () =>
    {
        using (LoopProcess child = await LoopProcess.StartAsync("tr", ["a-z", "A-Z"],
            new() { StandardInput = Redirect.Pipe, StandardOutput = Redirect.Pipe }))
        {
            var (code, output, error) = await child.CommunicateAsync("quiet"u8.ToArray());
            Assert.Equal(0, code);
            Assert.Equal("QUIET", Encoding.ASCII.GetString(output));
            Assert.Empty(error);
        }
        using (LoopProcess child = await LoopProcess.ShellAsync("echo $GREETING from $PWD; exit 3",
            new()
        {
            StandardOutput = Redirect.Pipe,
            WorkingDirectory = "/",
            Environment = new Dictionary<string, string>
            {
                ["GREETING"] = "hello",
                ["PATH"] = "/bin:/usr/bin",
            },
        }))
        {
            Assert.Equal("hello from /", await child.StandardOutput!.ReadLineAsync());
            Assert.Equal(3, await child.WaitAsync());
            Assert.Equal(3, child.ExitCode);
        }
        using (LoopProcess child = await LoopProcess.StartAsync("sleep", ["100"]))
        {
            Assert.Null(child.ExitCode);
            Assert.True(child.Id > 0);
            await Assert.ThrowsAsync<TimeoutException>(() =>
                Loop.WaitFor(child.WaitAsync(), TimeSpan.FromMilliseconds(10)));
            child.Kill();
            Assert.Equal(-9, await child.WaitAsync());
            Assert.Throws<AloopException>(child.Terminate);
        }
        Assert.Equal(Status.NoEntry, (await Assert.ThrowsAsync<AloopException>(
            () => LoopProcess.StartAsync("no-such-program"))).Status);
    }, s_real);

    // As with System.Diagnostics.Process, which so tells a child that there is no more.
    [Fact]
    public void AWriterThatIsDisposedOfEndsTheChildsInput() => Support.Run(async () =>
    {
        using LoopProcess child = await LoopProcess.StartAsync("cat", null, new()
            { StandardInput = Redirect.Pipe, StandardOutput = Redirect.Pipe });
        using (var writer = new StreamWriter(child.StandardInput!)) writer.Write("all of it");
        byte[] got = await Loop.WaitFor(child.StandardOutput!.ReadBytesAsync(), Support.Hang);
        Assert.Equal("all of it"u8.ToArray(), got);
        Assert.Equal(0, await child.WaitAsync());
    }, s_real);

    [Fact]
    public void JobsInThreads() => Support.Run(async () =>
    {
        int thread = Environment.CurrentManagedThreadId;
        var local = new AsyncLocal<string> { Value = "flows" };
        var (other, seen) = await Loop.RunInThread(() =>
            (Environment.CurrentManagedThreadId, local.Value));
        Assert.NotEqual(thread, other);
        Assert.Equal("flows", seen);
        var mine = new FormatException("mine");
        Assert.Same(mine,
            await Assert.ThrowsAsync<FormatException>(() => Loop.RunInThread(() => throw mine)));
        using var told = new ManualResetEventSlim();
        var begun = new TaskCompletionSource();
        LoopTask<bool> job = Loop.Spawn(() => Loop.RunInThread(token =>
        {
            begun.SetResult();
            bool ended = token.WaitHandle.WaitOne(Support.Hang);
            told.Set();
            return ended;
        }));
        await begun.Task;
        job.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await job);
        Assert.True(told.Wait(Support.Hang));

        using var two = new LoopExecutor(2, "pair");
        int[] squares = await Task.WhenAll(Enumerable.Range(0, 20)
            .Select(i => two.RunAsync(() => i * i)));
        Assert.Equal(Enumerable.Range(0, 20).Select(i => i * i), squares);
        await two.ShutDownAsync();
        Assert.Equal(Status.ShutDown,
            (await Assert.ThrowsAsync<AloopException>(() => two.RunAsync(() => 1))).Status);
        using LoopExecutor pool = LoopExecutor.Of(TaskScheduler.Default);
        Assert.True(await pool.RunAsync(() => Thread.CurrentThread.IsThreadPoolThread));
    }, s_real);

    [Fact]
    public void Signals() => Support.Run(async () =>
    {
        using var child = await LoopProcess.ShellAsync("true");
        var user1 = (PosixSignal)10;
        LoopTask<PosixSignal> waiting = Loop.Spawn(async () =>
        {
            await foreach (PosixSignal signal in Loop.Signals([user1])) return signal;
            return default;
        });
        await Loop.Sleep(0);  // its first step, in which it begins to listen
        using (LoopProcess kill =
            await LoopProcess.ShellAsync($"kill -USR1 {Environment.ProcessId}"))
        {
            await kill.WaitAsync();
        }
        Assert.Equal(user1, await Loop.WaitFor(waiting, Support.Hang));
        await child.WaitAsync();
    }, s_real);

    // A handler whose registration nobody holds stays; with its loop the default comes back.
    [Fact]
    public void ASignalHandlerLastsAsLongAsItsLoop()
    {
        const PosixSignal WindowChanged = PosixSignal.SIGWINCH;  // ignored by default
        int handled = 0;
        Support.Run(async () =>
        {
            using var got = new LoopEvent();
            Listen(got);
            for (int i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
            using LoopProcess kill =
                await LoopProcess.ShellAsync($"kill -WINCH {Environment.ProcessId}");
            await Loop.WaitFor(got.WaitAsync(), Support.Hang);
            Assert.Equal(1, handled);
            await kill.WaitAsync();
        }, s_real);
        Loop closed = new();
        closed.Dispose();
        Assert.Throws<ObjectDisposedException>(
            () => closed.AddSignalHandler(WindowChanged, () => { }));

        [MethodImpl(MethodImplOptions.NoInlining)]
        void Listen(LoopEvent got) => Loop.Current.AddSignalHandler(WindowChanged, () =>
        {
            handled++;
            got.Set();
        });
    }

    [Fact]
    public void WhatTheLoopIsDoing() => Support.Run(async () =>
    {
        LoopTask<Nothing> sleeper = Loop.Spawn(() => Loop.Sleep(1), "sleeper");
        await Loop.Sleep(0);
        Assert.Contains("sleeper", Loop.FormatCallGraph(sleeper));
        Assert.True(Loop.Current.Metrics["iterations"] > 0);
        Assert.Contains(sleeper, Loop.Current.Tasks);
        Loop.Current.Debug = true;
        Assert.True(Loop.Current.Debug);
        var events = new List<LoopTraceEvent>();
        Loop.Current.SetTraceHook(events.Add);
        await sleeper;
        Loop.Current.SetTraceHook(null);
        Assert.Contains(events, e => e is { Kind: LoopTraceKind.TaskDone, Task: "sleeper" });
    });
}
