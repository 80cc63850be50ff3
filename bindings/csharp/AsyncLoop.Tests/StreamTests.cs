// SPDX-License-Identifier: MIT
using System.Net;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace AsyncLoop.Tests;

public class StreamTests
{
    private static readonly LoopOptions s_real = new();

    private static async Task Echo(LoopStream client)
    {
        while (await client.ReadLineAsync() is string line) await client.WriteTextAsync(
            line.ToUpperInvariant() + "\n");
    }

    [Fact]
    public void AServerAndItsClients() => Support.Run(async () =>
    {
        await using LoopServer server = await LoopServer.StartAsync("127.0.0.1", 0);
        _ = Loop.Spawn(() => server.ServeAsync(Echo));
        async Task<string?> Ask(string text)
        {
            await using LoopStream stream = await LoopStream.ConnectAsync("127.0.0.1", server.Port);
            Assert.Equal($"127.0.0.1:{server.Port}", stream.RemoteName);
            await stream.WriteTextAsync(text + "\r\n");
            return await stream.ReadLineAsync();
        }
        string?[] answers = await Task.WhenAll(Enumerable.Range(0, 20)
            .Select(i => Ask($"line {i}")));
        Assert.Equal(Enumerable.Range(0, 20).Select(i => $"LINE {i}"), answers);
        Assert.True(server.IsServing);
        Assert.Single(server.Sockets);
    }, s_real);

    [Fact]
    public void TheStreamsOfDotNetWorkOverIt() => Support.Run(async () =>
    {
        var (a, b) = LoopStream.Pair();
        var writer = new StreamWriter(a, new UTF8Encoding(false));
        var reader = new StreamReader(b);
        await writer.WriteLineAsync("one");
        await writer.WriteLineAsync("zwölf");
        await writer.FlushAsync();
        Assert.Equal("one", await reader.ReadLineAsync());
        Assert.Equal("zwölf", await reader.ReadLineAsync());
        byte[] big = [.. Enumerable.Range(0, 1_000_000).Select(i => (byte)i)];
        var copy = new MemoryStream();
        async Task Send()
        {
            await a.WriteAsync(big);
            a.CompleteWriting();
        }
        await Task.WhenAll(Send(), b.CopyToAsync(copy));
        Assert.Equal(big, copy.ToArray());
        Assert.True(b.IsAtEnd);
        Assert.Equal(0, await b.ReadAsync(new byte[1]));
        await a.DisposeAsync();
        await b.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(() => a.WriteNoWait("x"));
    }, s_real);

    [Fact]
    public void ReadsOfAllKinds() => Support.Run(async () =>
    {
        var (a, b) = LoopStream.Pair();
        a.WriteNoWait("head: 1\r\n\r\nbody");
        Assert.Equal("head: 1\r\n\r\n",
            Encoding.ASCII.GetString(await b.ReadUntilAsync("\r\n\r\n"u8.ToArray())));
        Assert.Equal("bo", Encoding.ASCII.GetString(await b.ReadBytesExactlyAsync(2)));
        a.CompleteWriting();
        var e = await Assert.ThrowsAsync<IncompleteReadException>(() => b.ReadBytesExactlyAsync(5));
        Assert.Equal("dy", Encoding.ASCII.GetString(e.Partial));
        Assert.Equal(5, e.Expected);
        Assert.Null(await b.ReadLineAsync());
        Assert.Empty(await b.ReadBytesAsync());
        a.Dispose();
        b.Dispose();
    });

    [Fact]
    public void ACancelledReadLosesNothing() => Support.Run(async () =>
    {
        var (a, b) = LoopStream.Pair();
        using (a)
        using (b)
        {
            byte[] buffer = new byte[10];
            await Assert.ThrowsAsync<TimeoutException>(
                () => Loop.WaitFor(b.ReadAsync(buffer).AsTask(), TimeSpan.FromSeconds(1)));
            using var source = new CancellationTokenSource();
            LoopTask<string?> reading = Loop.Spawn(() => b.ReadLineAsync(source.Token));
            await Loop.Sleep(1);
            source.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await reading);
            a.WriteNoWait("kept\n");
            Assert.Equal("kept", await b.ReadLineAsync());
            LoopTask<string?> first = Loop.Spawn(() => b.ReadLineAsync());
            await Loop.Sleep(1);
            Assert.Equal(Status.Busy,
                (await Assert.ThrowsAsync<AloopException>(() => b.ReadLineAsync())).Status);
            a.WriteNoWait("x\n");
            await first;
        }
    });

    [Fact]
    public void FailuresCarryTheirCode() => Support.Run(async () =>
    {
        await using LoopServer server =  // has the port, but does not listen
            await LoopServer.StartAsync("127.0.0.1", 0, new() { StartServing = false });
        int port = server.Port;
        var e = await Assert.ThrowsAsync<AloopException>(() =>
            LoopStream.ConnectAsync("127.0.0.1", port));
        Assert.Equal(Status.ConnectionRefused, e.Status);
        Assert.Contains($"{port}", e.Message);
        Assert.Equal(Status.Resolve, (await Assert.ThrowsAsync<AloopException>(
            () => LoopStream.ConnectAsync("no.such.host.invalid", 80))).Status);
        await Assert.ThrowsAsync<AloopException>(() =>
            LoopStream.ConnectUnixAsync("/no/such/socket"));
        Assert.Equal(-98, (await Assert.ThrowsAsync<AloopException>(async () =>
        {
            await using LoopServer one = await LoopServer.StartAsync("127.0.0.1", 0);
            await LoopServer.StartAsync("127.0.0.1", one.Port);
        })).Status);
    }, s_real);

    [Fact]
    public void AHandlersFailureIsReportedAndTheServerGoesOn() => Support.Run(async () =>
    {
        var faults = new List<LoopFault>();
        Loop.Current.ExceptionHandler = faults.Add;
        await using LoopServer server =
            await LoopServer.StartUnixAsync($"@asyncloop-test-{Environment.ProcessId}");
        LoopTask<Nothing> serving = Loop.Spawn(() =>
            server.ServeAsync(_ => throw new FormatException("bad client")));
        for (int i = 0; i < 2; i++)
        {
            await using LoopStream stream =
                await LoopStream.ConnectUnixAsync($"@asyncloop-test-{Environment.ProcessId}");
            Assert.Empty(await stream.ReadBytesAsync());
        }
        await using (LoopStream open =
            await LoopStream.ConnectUnixAsync($"@asyncloop-test-{Environment.ProcessId}"))
        {
            await open.ReadBytesAsync();
            await server.ShutDownAsync(Support.Hang);
            Assert.Equal(0, server.Connections);
        }
        server.Close();
        await serving;
        Assert.Equal(["bad client", "bad client", "bad client"],
            faults.Select(f => f.Exception!.Message));
    }, s_real);

    [Fact]
    public void UsableFromOtherThreads() => Support.Run(async () =>
    {
        await using LoopServer server = await LoopServer.StartAsync("127.0.0.1", 0);
        _ = Loop.Spawn(() => server.ServeAsync(Echo));
        LoopStream stream = await LoopStream.ConnectAsync("127.0.0.1", server.Port);
        string? answer = await Task.Run(() =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true) { AutoFlush = true };
            using var reader = new StreamReader(stream, leaveOpen: true);
            writer.WriteLine("from a thread");
            return reader.ReadLine();
        });
        Assert.Equal("FROM A THREAD", answer);
        Assert.Throws<InvalidOperationException>(() => stream.ReadByte());
        await Task.Run(stream.Dispose);
    }, s_real);

    [Fact]
    public void FilesAreSentAndPipesRead() => Support.Run(async () =>
    {
        string path = Path.GetTempFileName();
        File.WriteAllText(path, "from a file\n");
        var (a, b) = LoopStream.Pair();
        using (var file = File.OpenHandle(path))
        {
            Assert.Equal(12, await a.SendFileAsync(file));
        }
        Assert.Equal("from a file", await b.ReadLineAsync());
        File.Delete(path);
        a.Dispose();
        b.Dispose();
    }, s_real);

    [Fact]
    public void NamesAndAddresses() => Support.Run(async () =>
    {
        IPEndPoint[] all = await LoopDns.GetEndPointsAsync("127.0.0.1", "80");
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 80), all[0]);
        var (host, service) = await LoopDns.GetNameAsync(new IPEndPoint(IPAddress.Loopback, 65000));
        Assert.NotEmpty(host);
        Assert.Equal("65000", service);
    }, s_real);

    [Fact]
    public void Datagrams() => Support.Run(async () =>
    {
        await using LoopDatagram server =
            await LoopDatagram.OpenAsync(new() { LocalAddress = ("127.0.0.1", 0) });
        var there = (IPEndPoint)server.LocalEndPoint!;
        LoopTask<Nothing> serving = Loop.Spawn(async () =>
        {
            await foreach (Datagram one in server.ReceiveAllAsync())
            {
                Assert.False(one.Truncated);
                server.SendNoWait(one.Data, (IPEndPoint)one.From!);
            }
        });
        await using (LoopDatagram client = await LoopDatagram.OpenAsync(
            new() { RemoteAddress = ("127.0.0.1", there.Port) }))
        {
            Assert.Equal(there, client.RemoteEndPoint);
            foreach (string text in new[] { "one", "", "three" })
            {
                await client.SendAsync(Encoding.ASCII.GetBytes(text));
                Datagram back = await client.ReceiveAsync();
                Assert.Equal(text, Encoding.ASCII.GetString(back.Data));
                Assert.Equal(there, back.From);
            }
            await Assert.ThrowsAsync<TimeoutException>(
                () => Loop.WaitFor(client.ReceiveAsync(), TimeSpan.FromMilliseconds(5)));
        }
        server.Close();
        await serving;
    }, s_real);

    [Fact]
    public void DatagramsOverUnixSockets() => Support.Run(async () =>
    {
        string own = Path.Combine(Path.GetTempPath(), $"asyncloop@{Environment.ProcessId}");
        await using (LoopDatagram server = await LoopDatagram.OpenAsync(new() { LocalPath = own }))
        {
            Assert.Equal(own, server.LocalEndPoint!.ToString());
            string name = $"@asyncloop@{Environment.ProcessId}";
            await using LoopDatagram client = await LoopDatagram.OpenAsync(
                new() { LocalPath = name, RemotePath = own });
            await client.SendAsync("ping"u8.ToArray());
            Datagram packet = await server.ReceiveAsync();
            Assert.Equal(new UnixDomainSocketEndPoint("\0" + name[1..]), packet.From);
            await server.SendAsync("pong"u8.ToArray(), packet.From);
            Assert.Equal("pong", Encoding.ASCII.GetString((await client.ReceiveAsync()).Data));
            server.SendNoWait("more"u8, packet.From);
            Assert.Equal(new UnixDomainSocketEndPoint(own), (await client.ReceiveAsync()).From);
            await Assert.ThrowsAsync<ArgumentException>(
                () => server.SendAsync("x"u8.ToArray(), new DnsEndPoint("localhost", 1)));
        }
        File.Delete(own);
    }, s_real);

    // With a read under way it closes, too: the reader gets to the end, and so does the peer.
    [Fact]
    public void DisposingEndsWhoReads() => Support.Run(async () =>
    {
        await using LoopServer server = await LoopServer.StartAsync("127.0.0.1", 0);
        foreach (bool elsewhere in new[] { false, true })
        {
            LoopStream one = await LoopStream.ConnectAsync("127.0.0.1", server.Port);
            await using LoopStream other = await server.AcceptAsync();
            Task<int> reading = one.ReadAsync(new byte[1]).AsTask();
            one.WriteNoWait("last words");
            if (elsewhere) await Task.Run(one.Dispose);
            else one.Dispose();
            Assert.False(one.CanRead);
            Assert.Equal(0, await Loop.WaitFor(reading, Support.Hang));
            byte[] words = await Loop.WaitFor(other.ReadBytesAsync(), Support.Hang);
            Assert.Equal("last words", Encoding.ASCII.GetString(words));
        }
    }, s_real);

    [Fact]
    public void TwoMayDisposeOfAStream() => Support.Run(async () =>
    {
        var (a, b) = LoopStream.Pair();
        using var begun = new ManualResetEventSlim();
        Task closing = Task.Run(async () =>
        {
            ValueTask disposing = a.DisposeAsync();
            begun.Set();
            await disposing;
        });
        begun.Wait();  // it waits for the loop
        a.Dispose();
        await closing;
        b.Dispose();
    }, s_real);

    // In the style of old, both directions at a time.
    [Fact]
    public void BeginAndEnd() => Support.Run(async () =>
    {
        var (a, b) = LoopStream.Pair();
        byte[] got = new byte[2];
        IAsyncResult reading = b.BeginRead(got, 0, 2, null, null);
        IAsyncResult writing = b.BeginWrite("x"u8.ToArray(), 0, 1, null, null);
        await Task.Factory.FromAsync(writing, b.EndWrite);
        Assert.Equal("x"u8.ToArray(), await a.ReadBytesAsync(2));
        a.WriteNoWait("y");
        Assert.Equal(1, await Task.Factory.FromAsync(reading, b.EndRead));
        Assert.Equal((byte)'y', got[0]);
        a.Dispose();
        b.Dispose();
    }, s_real);

    [Fact]
    public void AServerServesFromAnyThread() => Support.Run(async () =>
    {
        await using LoopServer server = await LoopServer.StartAsync("127.0.0.1", 0);
        int thread = Environment.CurrentManagedThreadId;
        Task serving = Task.Run(() => server.ServeAsync(client =>
        {
            Assert.Equal(thread, Environment.CurrentManagedThreadId);
            return Echo(client);
        }));
        for (int i = 0; i < 2; i++)
        {
            await using LoopStream client = await LoopStream.ConnectAsync("127.0.0.1", server.Port);
            await client.WriteTextAsync("one\n");
            Assert.Equal("ONE", await Loop.WaitFor(client.ReadLineAsync(), Support.Hang));
        }
        server.Close();
        await serving;
    }, s_real);
}
