// examples URL...: the status of each; without a URL both programs run against servers of
// their own.
// SPDX-License-Identifier: MIT
using AsyncLoop;

return Loop.Run(async () =>
{
    if (args.Length > 0)
    {
        string[] found = await StatusChecker.CheckAll(args, TimeSpan.FromSeconds(5));
        foreach (var (site, status) in args.Zip(found)) Console.WriteLine($"{site}: {status}");
        return 0;
    }
    await using LoopServer web = await LoopServer.StartAsync("127.0.0.1", 0);
    _ = Loop.Spawn(() => web.ServeAsync(async client =>
    {
        while (await client.ReadLineAsync() is not (null or "")) { }
        await client.WriteTextAsync("HTTP/1.1 200 OK\r\n\r\n");
    }));
    string url = $"http://127.0.0.1:{web.Port}/";
    Console.WriteLine(string.Join(", ",
        await StatusChecker.CheckAll([url, url], TimeSpan.FromMinutes(1))));

    await using LoopServer echo = await LoopServer.StartAsync("127.0.0.1", 0);
    _ = Loop.Spawn(() => echo.ServeAsync(async client =>
    {
        while (await client.ReadLineAsync() is string line) await client.WriteTextAsync(
            line + " done\n");
    }));
    List<string> answers = await WorkQueue.Run(echo.Port, jobs: 20, workers: 3);
    Console.WriteLine($"{answers.Count} jobs done");
    return 0;
});
