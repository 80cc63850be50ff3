// The programs of the README, against real sockets.
// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using Xunit;

namespace AsyncLoop.Tests;

public class ExampleTests
{
    private static readonly LoopOptions s_real = new();

    private static async Task<LoopServer> Serve(Func<LoopStream, Task> handler)
    {
        LoopServer server = await LoopServer.StartAsync("127.0.0.1", 0);
        _ = Loop.Spawn(() => server.ServeAsync(handler));
        return server;
    }

    private static async Task Answer(LoopStream client, string status)
    {
        while (await client.ReadLineAsync() is not (null or "")) { }
        await client.WriteTextAsync(status);
    }

    [Fact]
    public void TheStatusChecker() => Support.Run(async () =>
    {
        LoopServer good = await Serve(client => Answer(client, "HTTP/1.1 200 OK\r\n\r\n"));
        LoopServer missing = await Serve(client =>
            Answer(client, "HTTP/1.1 404 Not Found\r\n\r\n"));
        LoopServer silent = await Serve(_ => Loop.Sleep(100));
        LoopServer rude = await Serve(client => Answer(client, ""));  // hears, and hangs up
        await using LoopServer nobody =  // has the port, but does not listen
            await LoopServer.StartAsync("127.0.0.1", 0, new() { StartServing = false });
        string Url(int port) => $"http://127.0.0.1:{port}/";
        string[] statuses = await StatusChecker.CheckAll(
            [Url(good.Port), Url(missing.Port), Url(rude.Port), Url(nobody.Port)],
            Support.Hang);
        Assert.Equal("HTTP/1.1 200 OK", statuses[0]);
        Assert.Equal("HTTP/1.1 404 Not Found", statuses[1]);
        Assert.Equal("closed the connection without an answer", statuses[2]);
        Assert.Contains("refused", statuses[3], StringComparison.OrdinalIgnoreCase);
        Assert.Equal(["no answer in time"],
            await StatusChecker.CheckAll([Url(silent.Port)], TimeSpan.FromSeconds(0.1)));
    }, s_real);

    [Fact]
    public void TheQueueProgram() => Support.Run(async () =>
    {
        LoopServer server = await Serve(async client =>
        {
            while (await client.ReadLineAsync() is string line)
            {
                await Loop.Sleep(0.001);
                await client.WriteTextAsync(line + " done\n");
            }
        });
        List<string> answers = await WorkQueue.Run(server.Port, jobs: 20, workers: 3);
        Assert.Equal(Enumerable.Range(0, 20).Select(i => $"job {i} done").Order(),
            answers.Select(a => a.Split(": ")[1]).Order());
        Assert.Superset(answers.Select(a => a.Split(':')[0]).ToHashSet(),
            new HashSet<string> { "worker-0", "worker-1", "worker-2" });
    }, s_real);

    [Fact]
    public void TheLineServer() => Support.Run(async () =>
    {
        await using LoopServer server = await LoopServer.StartAsync("127.0.0.1", 0);
        await using LoopServer strict = await LoopServer.StartAsync("127.0.0.1", 0);
        using var stop = new LoopEvent();
        var serving = Loop.Spawn(() => LineServer.Run(server, Support.Hang, stop));
        var hurrying =
            Loop.Spawn(() => LineServer.Run(strict, TimeSpan.FromSeconds(0.01), stop));
        string[] answers = await Loop.Gather(Enumerable.Range(0, 5).Select(i =>
            Loop.Spawn(() => Say(server, $"caller {i}\n"))));
        Assert.Equal(Enumerable.Range(0, 5).Select(i => $"hello caller {i}"), answers);
        Assert.Equal("too slow", await Say(strict, ""));
        stop.Set();
        await serving;
        await hurrying;
        Assert.False(server.IsServing || strict.IsServing);

        static async Task<string> Say(LoopServer to, string text)
        {
            await using LoopStream stream = await LoopStream.ConnectAsync("127.0.0.1", to.Port);
            await stream.WriteTextAsync(text);
            return await stream.ReadLineAsync() ?? "";
        }
    }, s_real);

    [Fact]
    public void TheReadmeShowsThem()
    {
        string here = Path.GetDirectoryName(SourcePath())!;
        string readme = File.ReadAllText(Path.Combine(here, "..", "README.md"));
        foreach (string program in new[] { "StatusChecker.cs", "WorkQueue.cs",
            "LineServer.cs" })
        {
            Assert.Contains(File.ReadAllText(Path.Combine(here, "..", "examples", program)),
                readme);
        }
    }

    private static string SourcePath([CallerFilePath] string path = "") => path;
}
