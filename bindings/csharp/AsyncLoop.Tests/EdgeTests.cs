// What programs do wrong, or at the worst moment.
// SPDX-License-Identifier: MIT
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Xunit;

namespace AsyncLoop.Tests;

public class EdgeTests
{
    private static readonly LoopOptions s_real = new();

    [Fact]
    public void NothingToReadOrWriteIsDoneAtOnce() => Support.Run(async () =>
    {
        var (a, b) = LoopStream.Pair();
        Assert.Equal(0, await b.ReadAsync(Memory<byte>.Empty));
        Assert.Equal(0, await b.ReadAsync(new byte[1], 1, 0, default));
        await a.WriteAsync(ReadOnlyMemory<byte>.Empty);
        a.Dispose();
        a.Dispose();
        await a.DisposeAsync();
        Assert.Equal(0, await b.ReadAsync(new byte[1]));
        Assert.False(a.CanRead || a.CanWrite);
        await Assert.ThrowsAsync<ObjectDisposedException>(
            async () => await a.ReadAsync(new byte[1]));
        await Assert.ThrowsAsync<ObjectDisposedException>(
            async () => await a.WriteAsync(new byte[1]));
        Assert.True(a.IsClosing);
        await b.DisposeAsync();
        await b.DisposeAsync();
    }, s_real);

    // C would take the NUL for the end, and use another name than it was given.
    [Fact]
    public void TextWithANulInsideIsRefused() => Support.Run(async () =>
    {
        const string Nul = "a\0b";
        var wrong = new Func<Task>[]
        {
            () => LoopStream.ConnectAsync("127.0.0.1" + Nul, 1),
            () => LoopStream.ConnectUnixAsync("/tmp/" + Nul),
            () => LoopServer.StartAsync("127.0.0.1" + Nul, 0),
            () => LoopProcess.StartAsync("/bin/true" + Nul),
            () => LoopProcess.StartAsync("/bin/true", [Nul]),
            () => LoopProcess.ShellAsync("true" + Nul),
            () => LoopProcess.StartAsync("/bin/true", null, new() { WorkingDirectory = "/" + Nul }),
            () => LoopDns.GetEndPointsAsync("localhost" + Nul, "1"),
            () => LoopDns.GetEndPointsAsync("localhost", "1" + Nul),
            () => LoopServer.StartUnixAsync("/tmp/" + Nul),
            () => LoopServer.StartAsync("127.0.0.1", 0, new() { Hosts = ["127.0.0.1" + Nul] }),
            () => LoopStream.ConnectAsync("127.0.0.1", 1, new() { LocalAddress = (Nul, 0) }),
            () => LoopStream.ConnectAsync("127.0.0.1", 1, new() { ServerHostName = Nul }),
            () => LoopDatagram.OpenAsync(new() { LocalPath = "/tmp/" + Nul }),
            () => LoopDatagram.OpenAsync(new() { RemotePath = "/tmp/" + Nul }),
            () => LoopDatagram.OpenAsync(new() { LocalAddress = ("127.0.0.1" + Nul, 0) }),
            () => LoopDatagram.OpenAsync(new() { RemoteAddress = ("127.0.0.1" + Nul, 1) }),
            () => LoopProcess.StartAsync("/bin/true", null, new()
                { Environment = new Dictionary<string, string> { ["A"] = Nul } }),
        };
        foreach (Func<Task> one in wrong) await Assert.ThrowsAsync<ArgumentException>(one);
        await using LoopDatagram packets = await LoopDatagram.OpenAsync(
            new() { LocalPath = "@" + Unique });
        using TlsContext context = TlsContext.Client();
        var (a, b) = LoopStream.Pair();
        foreach (string path in new[] { "/tmp/" + Nul, "\0" + Nul })
        {
            var there = new UnixDomainSocketEndPoint(path);
            Assert.Throws<ArgumentException>(() => { packets.SendNoWait("x"u8, there); });
            await Assert.ThrowsAsync<ArgumentException>(
                () => packets.SendAsync("x"u8.ToArray(), there));
        }
        var atOnce = new Action[]
        {
            () => context.LoadVerify(Nul),
            () => context.LoadVerify(null, Nul),
            () => context.LoadVerifyPem(Nul),
            () => context.LoadCertificate(Nul),
            () => context.LoadCertificate("/dev/null", Nul),
            () => context.LoadCertificate("/dev/null", null, Nul),
            () => context.LoadCertificatePem(Nul, ""),
            () => context.LoadCertificatePem("", Nul),
            () => context.LoadCertificatePem("", "", Nul),
            () => context.SetAlpn("h2", Nul),
            () => context.SetCiphers(Nul),
            () => context.SetCiphers(null, Nul),
            () => context.AddName(Nul, context),
            () => context.SetKeyLogFile(Nul),
            () => a.GetExtraInfo(Nul),
            () => LoopTask.Current!.Cancel(Nul),
            () => new LoopExecutor(1, Nul).Dispose(),
        };
        foreach (Action one in atOnce) Assert.Throws<ArgumentException>(one);
        a.Dispose();
        b.Dispose();
        LoopTask<int> task = Loop.Spawn<int>(async () =>
        {
            await Loop.Sleep(0);
            throw new InvalidOperationException(Nul);
        }, Nul);
        Assert.Equal("a\uFFFDb", task.Name);
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(async () => await task);
        Assert.Equal(Nul, failure.Message);
    }, s_real);

    // C takes a null pointer among the arguments for their end.
    [Fact]
    public void AnArgumentThatIsNotThereIsRefused() => Support.Run(async () =>
    {
        await Assert.ThrowsAsync<ArgumentNullException>(() => LoopProcess.StartAsync(null!));
        await Assert.ThrowsAsync<ArgumentNullException>(
            () => LoopProcess.StartAsync("/bin/true", ["a", null!, "b"]));
    }, s_real);

    [Fact]
    public void TheMembersOfStreamThrowIoExceptions() => Support.Run(async () =>
    {
        await using LoopServer server = await LoopServer.StartAsync("127.0.0.1", 0);
        using LoopStream one = await LoopStream.ConnectAsync("127.0.0.1", server.Port);
        using LoopStream other = await server.AcceptAsync();
        other.WriteNoWait(new byte[20_000_000]);  // more than a socket takes at once
        one.Abort();
        byte[] byteToo = new byte[1];
        await Assert.ThrowsAsync<IOException>(async () => await other.ReadAsync(byteToo));
        await Assert.ThrowsAsync<IOException>(() => other.FlushAsync());
        await Assert.ThrowsAsync<IOException>(async () => await other.WriteAsync(byteToo));
        await Assert.ThrowsAsync<AloopException>(() => other.DrainAsync());
        other.StartClosing();
        Assert.Throws<IOException>(() => other.Write(byteToo, 0, 1));
    }, s_real);

    [Fact]
    public void WhatFailsInAStreamIsAnIoException()
    {
        foreach (Exception one in new Exception[] { new TimeoutException("late"),
            new AloopException(Status.ConnectionReset) })
        {
            Exception? failure = LoopStream.AsIo(one);
            Assert.Same(one, Assert.IsType<IOException>(failure).InnerException);
        }
        Assert.IsType<ObjectDisposedException>(LoopStream.AsIo(new ObjectDisposedException("it")));
        Assert.Null(LoopStream.AsIo(null));
    }

    // An item that is given to what is no longer there stays nobody's.
    [Fact]
    public void WhatIsDisposedOfTakesNothing() => Support.Run(() =>
    {
        var queue = new LoopQueue<object>();
        QueueInlet<object> inlet = queue.OpenInlet(1);
        var (sender, receiver) = LoopChannel.Create<object>();
        BroadcastSender<object> news = LoopChannel.CreateBroadcast<object>(1);
        WatchSender<object> level = LoopChannel.CreateWatch(new object());
        var ends = new IDisposable[] { inlet, queue, sender, receiver, news, level };
        foreach (IDisposable it in ends) it.Dispose();
        var item = new object();
        var wrong = new Action[]
        {
            () => queue.PutNoWait(item), () => inlet.Put(item), () => inlet.PutNoWait(item),
            () => sender.TrySend(item), () => news.Send(item), () => level.Value = item,
        };
        foreach (Action one in wrong) Assert.Throws<ObjectDisposedException>(one);
        return Task.CompletedTask;
    });

    // A block that nobody awaits, of a task that has ended: its tasks end, and nothing is left.
    [Fact]
    public void AGroupOutlivesNobody() => Support.Run(async () =>
    {
        Task? block = null;
        LoopTask<Nothing>? inner = null;
        await Loop.Spawn(() =>
        {
            block = TaskGroup.Run(async group =>
            {
                inner = group.Spawn(() => Loop.Sleep(1000));
                await Loop.Sleep(1);
            });
            return Task.CompletedTask;
        });
        var e = await Assert.ThrowsAsync<AloopException>(() => block!);
        Assert.Equal(Status.NoTask, e.Status);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await inner!);
        // The same when the loop ends before the block.
        _ = Loop.Spawn(() =>
        {
            _ = TaskGroup.Run(_ => Loop.Sleep(1_000_000));
            return Task.CompletedTask;
        });
        await Loop.Sleep(1);
    });

    private sealed class Unreadable : Exception
    {
        public override string Message => throw new InvalidOperationException("no message");
    }

    private sealed class Empty : Exception
    {
        public override string Message => null!;
    }

    // What C asks an exception for is code of the program, and so is the handler.
    [Fact]
    public void ExceptionsThatThrowThemselvesDoNotUnwindThroughC() => Support.Run(async () =>
    {
        await Assert.ThrowsAsync<Empty>(() => Spawned(new Empty()));
        await Assert.ThrowsAsync<Unreadable>(() => Spawned(new Unreadable()));
        Loop.Current.ExceptionHandler = _ => throw new Unreadable();
        Loop.Current.CallSoon(() => throw new Unreadable());
        await Loop.Sleep(0.001);
        Loop.Current.ExceptionHandler = null;

        static async Task Spawned(Exception what) => await Loop.Spawn(async () =>
        {
            await Loop.Sleep(0);
            throw what;
        });
    }, s_real);

    [Fact]
    public void ASizeBelowZeroIsOutOfRange() => Support.Run(async () =>
    {
        var wrong = new Func<Task>[]
        {
            () => LoopStream.ConnectAsync("127.0.0.1", 1, new() { Limit = -1 }),
            () => LoopDatagram.OpenAsync(new() { MaxSize = -1 }),
            () => LoopProcess.ShellAsync("true", new() { ReadLimit = -1 }),
            () => LoopProcess.ShellAsync("true", new() { OutputLimit = -1 }),
        };
        foreach (Func<Task> one in wrong)
        {
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(one);
        }
    }, s_real);

    // Cancelled so many iterations after it has begun: nothing is lost.
    [Fact]
    public void CancelledInTheVeryMoment() => Support.Run(async () =>
    {
        await using LoopServer server = await LoopServer.StartAsync("127.0.0.1", 0);
        LoopStream one = await LoopStream.ConnectAsync("127.0.0.1", server.Port);
        LoopStream other = await server.AcceptAsync();
        for (int i = 0; i < 60; i++)
        {
            using var source = new CancellationTokenSource();
            byte[] got = new byte[2];
            int n = 0;
            LoopTask<Nothing> reading = Loop.Spawn(async () =>
                { n = await other.ReadAsync(got, i % 2 == 0 ? source.Token : default); });
            one.WriteNoWait([(byte)i]);
            for (int k = 0; k < i % 7; k++) await Loop.Sleep(0);
            if (i % 2 == 0) source.Cancel();
            else reading.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await reading;
                Assert.Equal(1, n);
                throw new OperationCanceledException();
            });
            if (n == 0)
            {
                n = await Loop.WaitFor(other.ReadAsync(got).AsTask(), Support.Hang);
            }
            Assert.Equal((1, (byte)i), (n, got[0]));
        }
        for (int i = 0; i < 40; i++)
        {
            LoopStream? taken = null;
            LoopTask<Nothing> accepting = Loop.Spawn(async () =>
                { taken = await server.AcceptAsync(); });
            using LoopStream client = await LoopStream.ConnectAsync("127.0.0.1", server.Port);
            for (int k = 0; k < i % 5; k++) await Loop.Sleep(0);
            accepting.Cancel();
            try { await accepting; }
            catch (OperationCanceledException) { }
            taken ??= await Loop.WaitFor(server.AcceptAsync(), Support.Hang);
            Assert.Equal(client.LocalName, taken.RemoteName);
            taken.Dispose();
        }
        one.Dispose();
        other.Dispose();
    }, s_real);

    [Fact]
    public void WhatIsUnderWayWhenTheLoopIsClosedFails()
    {
        var loop = new Loop();
        LoopStream? one = null, other = null;
        Task? left = null;
        LoopQueue<int>? queue = null;
        LoopHandle timer = default;
        Assert.True(timer.When == null && !timer.Cancel());
        loop.RunUntilComplete(async () =>
        {
            timer = Loop.Current.CallLater(TimeSpan.FromHours(1), () => { });
            Assert.NotNull(timer.When);
            (one, other) = LoopStream.Pair();
            queue = new LoopQueue<int>();
            left = one.ReadAsync(new byte[1]).AsTask();
            await Loop.Sleep(0);
        });
        loop.Dispose();
        loop.Dispose();
        Assert.True(loop.IsClosed);
        Assert.True(timer.When == null && !timer.Cancel());
        Assert.True(left!.IsCompleted && !left.IsCompletedSuccessfully);
        Assert.ThrowsAny<ObjectDisposedException>(
            () => one!.ReadAsync(new byte[1]).AsTask().GetAwaiter().GetResult());
        Assert.ThrowsAny<ObjectDisposedException>(
            () => other!.SendFileAsync(File.OpenHandle("/dev/null")).GetAwaiter().GetResult());
        Assert.Throws<ObjectDisposedException>(() => loop.Post(() => { }));
        Assert.Throws<ObjectDisposedException>(
            () => loop.RunUntilComplete(() => Task.CompletedTask));
        one!.Dispose();
        other!.Dispose();
        queue!.Dispose();
        Support.NothingIsLeft();
    }

    // What another thread has begun when nobody runs the loop any more.
    [Fact]
    public void WhatComesTooLateFails()
    {
        var loop = new Loop();
        LoopStream? one = null, other = null;
        loop.RunUntilComplete(() =>
        {
            (one, other) = LoopStream.Pair();
            return Task.CompletedTask;
        });
        Task? late = null;
        Loop.Run(() =>  // beside another one, it is closed without being run
        {
            late = one!.ReadAsync(new byte[1]).AsTask();
            loop.Dispose();
            return Task.CompletedTask;
        });
        Assert.IsType<ObjectDisposedException>(late!.Exception?.InnerException);
        one!.Dispose();
        other!.Dispose();
        Support.NothingIsLeft();
    }

    // A cancellation that comes before the closing keeps nothing open.
    [Fact]
    public void ACancelledTaskStillCloses() => Support.Run(async () =>
    {
        LoopServer server = await LoopServer.StartAsync("127.0.0.1", 0);
        LoopDatagram packets = await LoopDatagram.OpenAsync(new() { LocalPath = "@" + Unique });
        LoopStream one = await LoopStream.ConnectAsync("127.0.0.1", server.Port);
        LoopStream other = await server.AcceptAsync();
        foreach (IAsyncDisposable it in new IAsyncDisposable[] { one, packets, server })
        {
            var foreign = new TaskCompletionSource();
            LoopTask<Nothing> task = Loop.Spawn(async () =>
            {
                await using (it) await foreign.Task;
            });
            await Loop.Sleep(0);
            task.Cancel();  // there is no operation yet: the next one is cancelled
            await Loop.Sleep(0);
            foreign.SetResult();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await task);
        }
        Assert.Empty(await other.ReadBytesAsync());
        await other.DisposeAsync();
        await using (await LoopDatagram.OpenAsync(new() { LocalPath = "@" + Unique })) { }
    }, s_real);

    private static string Unique => $"asyncloop-edges-{Environment.ProcessId}";

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task Listen(string path) => await LoopServer.StartUnixAsync(path);

    // The file of a Unix socket goes with its server.
    [Fact]
    public void AServerThatIsCollectedIsClosed() => Support.Run(async () =>
    {
        string path = Path.Combine(Path.GetTempPath(), Unique);
        await Listen(path);
        Assert.True(File.Exists(path));
        var waiting = System.Diagnostics.Stopwatch.StartNew();
        while (File.Exists(path))
        {
            Assert.True(waiting.Elapsed < Support.Hang, "it listens still");
            GC.Collect();
            GC.WaitForPendingFinalizers();
            await Loop.Sleep(0.001);
        }
    }, s_real);

    // The file is open until C is done with it.
    [Fact]
    public void AFileIsSentWhoeverDisposesOfIt() => Support.Run(async () =>
    {
        string path = Path.GetTempFileName();
        byte[] bytes = new byte[20_000_000];  // more than a socket takes at once
        new Random(7).NextBytes(bytes);  // each place is unlike the others
        File.WriteAllBytes(path, bytes);
        await using LoopServer server = await LoopServer.StartAsync("127.0.0.1", 0);
        await using LoopStream a = await LoopStream.ConnectAsync("127.0.0.1", server.Port);
        await using LoopStream b = await server.AcceptAsync();
        var file = File.OpenHandle(path);
        Task<long> sending = a.SendFileAsync(file);
        await Loop.Sleep(0);
        file.Dispose();
        var others = Enumerable.Range(0, 20).Select(_ => File.OpenHandle("/dev/zero")).ToList();
        byte[] got = await b.ReadBytesExactlyAsync(bytes.Length);
        Assert.Equal(bytes.Length, bytes.AsSpan().CommonPrefixLength(got));
        Assert.Equal(bytes.Length, await sending);
        Assert.Throws<ObjectDisposedException>(() => { _ = a.SendFileAsync(file); });
        others.ForEach(it => it.Dispose());
        File.Delete(path);
    }, s_real);

    // An exception in a callback of any kind goes to the handler, and never through C.
    [Fact]
    public void ExceptionsInEveryCallback() => Support.Run(async () =>
    {
        var faults = new List<string>();
        Loop loop = Loop.Current;
        loop.ExceptionHandler = fault => faults.Add(fault.Exception!.Message);
        loop.CallSoon(() => throw new FormatException("soon"));
        loop.CallLater(TimeSpan.Zero, () => throw new FormatException("later"));
        loop.Post(() => throw new FormatException("posted"));
        using var ready = new LoopEvent();
        using var pipe = new System.IO.Pipes.AnonymousPipeServerStream();
        int fd = (int)pipe.SafePipeHandle.DangerousGetHandle();
        loop.AddWriter(fd, () =>
        {
            loop.RemoveWriter(fd);
            ready.Set();
            throw new FormatException("writable");
        });
        await ready.WaitAsync();
        await Loop.Sleep(0.001);
        Assert.Equal(["later", "posted", "soon", "writable"], faults.Order());
        Assert.Equal("job", (await Assert.ThrowsAsync<FormatException>(
            () => Loop.RunInThread(() => throw new FormatException("job")))).Message);
    }, s_real);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drop(int rounds)
    {
        for (int i = 0; i < rounds; i++)
        {
            var (a, b) = LoopStream.Pair();
            a.WriteNoWait("x");
            _ = b.ReadAsync(new byte[1]).AsTask();
            _ = new LoopQueue<object>();
            _ = new LoopFuture<object>();
            _ = new LoopLock();
        }
    }

    // Finalizers run on a thread of their own, while the loop works.
    [Fact]
    public void FinalizersBesideTheLoop() => Support.Run(async () =>
    {
        for (int round = 0; round < 20; round++)
        {
            Drop(50);
            GC.Collect();
            await Loop.Sleep(0);
        }
        await Task.Run(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        });
        await Loop.Sleep(0);
    }, s_real);
}
