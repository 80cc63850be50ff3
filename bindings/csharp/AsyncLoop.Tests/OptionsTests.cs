// Options, and sockets that the program made.
// SPDX-License-Identifier: MIT
using System.Net;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace AsyncLoop.Tests;

public class OptionsTests
{
    private static readonly LoopOptions s_real =
        new() { BusyPoll = TimeSpan.FromMilliseconds(0.05) };

    private static void Invalid(LoopOptions options) =>
        Assert.Equal(Status.Invalid,
            Assert.Throws<AloopException>(() => new Loop(options)).Status);

    private static async Task Invalid(Func<Task> code) =>
        Assert.Equal(Status.Invalid, (await Assert.ThrowsAsync<AloopException>(code)).Status);

    [Fact]
    public void ValuesOutOfRangeAreRefused()
    {
        Invalid(new LoopOptions { BusyPoll = TimeSpan.FromSeconds(2) });
        Invalid(new LoopOptions { SimulatedLoss = 1.5 });
        Invalid(new LoopOptions { SimulatedLoss = double.NaN });
        Support.Run(async () =>
        {
            await Invalid(() =>
                LoopServer.StartAsync("127.0.0.1", 0, new() { MaxConnections = -1 }));
            await Invalid(() => LoopServer.StartAsync("127.0.0.1", 0, new() { Limit = 0 }));
            await Invalid(() => LoopDatagram.OpenAsync(new() { Batch = 33 }));
            await Invalid(() => LoopDatagram.OpenAsync(new() { ReceiveBuffer = -1 }));
            await Invalid(() => LoopProcess.StartAsync("true", [], new() { ReadLimit = 0 }));
        }, s_real);
    }

    [Fact]
    public void ALossyNetworkLosesAllOrNothing()
    {
        foreach (double loss in new[] { 0.0, 1.0 })
        {
            Support.Run(async () =>
            {
                await using LoopDatagram there =
                    await LoopDatagram.OpenAsync(new() { LocalAddress = ("127.0.0.1", 0) });
                int port = ((IPEndPoint)there.LocalEndPoint!).Port;
                await using LoopDatagram here =
                    await LoopDatagram.OpenAsync(new() { RemoteAddress = ("127.0.0.1", port) });
                for (int i = 0; i < 10; i++)
                {
                    here.SendNoWait("x"u8);
                    Task<Datagram> got =
                        Loop.WaitFor(there.ReceiveAsync(), TimeSpan.FromSeconds(1));
                    if (loss == 0) await got;
                    else await Assert.ThrowsAsync<TimeoutException>(() => got);
                }
            }, new LoopOptions
            {
                SimulatorSeed = 7,
                SimulatedDelay = TimeSpan.FromMilliseconds(10),
                SimulatedLoss = loss,
            });
        }
    }

    [Fact]
    public void OptionsOfServers() => Support.Run(async () =>
    {
        string path = Path.Combine(Path.GetTempPath(), $"asyncloop-cs-{Environment.ProcessId}");
        foreach (bool cleanup in new[] { true, false })
        {
            var options = new StreamOptions { CleanupSocket = cleanup };
            await using (await LoopServer.StartUnixAsync(path, options)) { }
            Assert.Equal(!cleanup, File.Exists(path));
        }
        File.Delete(path);
        await using LoopServer server = await LoopServer.StartAsync("127.0.0.1", 0, new()
        {
            StartServing = false,
            MaxConnections = 1,
            Hosts = ["127.0.0.2"],
        });
        Assert.False(server.IsServing);
        await server.StartServingAsync();
        Assert.True(server.IsServing);
        using LoopStream one = await LoopStream.ConnectAsync("127.0.0.1", server.Port);
        using LoopStream two = await LoopStream.ConnectAsync("127.0.0.1", server.Port);
        using (LoopStream first = await server.AcceptAsync())
        {
            await Assert.ThrowsAsync<TimeoutException>(
                () => Loop.WaitFor(server.AcceptAsync(), TimeSpan.FromMilliseconds(5)));
        }
        (await server.AcceptAsync()).Dispose();
    }, s_real);

    [Fact]
    public void SocketsThatTheProgramMade() => Support.Run(async () =>
    {
        using var listening =
            new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listening.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var at = (IPEndPoint)listening.LocalEndPoint!;
        await using (LoopServer server = await LoopServer.StartSocketAsync(listening))
        {
            Assert.Equal(at.Port, server.Port);
            using var theirs =
                new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            theirs.Connect(at);
            using LoopStream ours = await LoopStream.OpenSocketAsync(theirs);
            using LoopStream accepted = await server.AcceptAsync();
            await ours.WriteTextAsync("over a copy\n");
            Assert.Equal("over a copy", await accepted.ReadLineAsync());
            theirs.Dispose(); // the stream's stays
            await ours.WriteTextAsync("still\n");
            Assert.Equal("still", await accepted.ReadLineAsync());
        }
        using var packets =
            new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        packets.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await using (LoopDatagram endpoint =
            await LoopDatagram.OpenSocketAsync(packets, new() { Batch = 4, ReceiveBuffer = 65536 }))
        {
            Assert.Equal(packets.LocalEndPoint, endpoint.LocalEndPoint);
        }
        int before = Sharing(packets) + Sharing(listening);
        await Invalid(() => LoopStream.OpenSocketAsync(packets));
        await Invalid(() => LoopServer.StartSocketAsync(packets));
        await Invalid(() => LoopDatagram.OpenSocketAsync(listening));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => LoopStream.OpenSocketAsync(packets, cancelled.Token));
        Assert.Equal(before, Sharing(packets) + Sharing(listening));
        Assert.Throws<ArgumentNullException>(() => { _ = LoopStream.OpenSocketAsync(null!); });
    }, s_real);

    // How many descriptors of this process are of the same socket.
    private static int Sharing(Socket socket)
    {
        string? own = Target($"/proc/self/fd/{socket.Handle}");
        return Directory.GetFiles("/proc/self/fd").Count(one => Target(one) == own);

        static string? Target(string descriptor)
        {
            try
            {
                return new FileInfo(descriptor).LinkTarget;
            }
            catch (IOException)  // another thread's, and closed by now
            {
                return "";
            }
        }
    }

    [Fact]
    public void ChildrenReadSoFar() => Support.Run(async () =>
    {
        using LoopProcess child = await LoopProcess.StartAsync("echo", ["too long a line"],
            new() { StandardOutput = Redirect.Pipe, ReadLimit = 4 });
        Assert.Equal(Status.LimitOverrun, (await Assert.ThrowsAsync<AloopException>(
            () => child.StandardOutput!.ReadLineAsync())).Status);
        await child.WaitAsync();
    }, s_real);

    // A task may be over when the call that makes it returns.
    [Fact]
    public void EagerTasksRunUpToTheirFirstAwait() => Support.Run(async () =>
    {
        string trace = "";
        LoopTask<int> task = Loop.Spawn(async () =>
        {
            trace += LoopTask.Current!.Name;
            await Loop.Sleep(1);
            return 1;
        }, "eager");
        Assert.Equal("eager", trace);
        LoopTask<int> done = Loop.Spawn(() => Task.FromResult(2), "done");
        Assert.True(done.IsCompleted);
        Assert.Equal("done", done.Name);
        Assert.Equal((1, 2), (await task, await done));
        await Assert.ThrowsAsync<FormatException>(
            async () => await Loop.Spawn<int>(() => throw new FormatException()));
        await TaskGroup.Run(group =>
        {
            _ = group.Spawn(() => Task.CompletedTask);
            _ = group.Spawn(() => Loop.Sleep(1));
            return Task.CompletedTask;
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await Loop.Spawn(async () =>
            {
                Assert.True(LoopTask.Current!.Cancel());
                await Loop.Sleep(1);
            }));
        Assert.Equal([LoopTask.Current!], Loop.Current.Tasks);
    }, new() { Clock = LoopClock.Virtual, EagerTasks = true });
}
