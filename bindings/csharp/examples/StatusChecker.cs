// Checks web sites, all at once: for each URL the status line that the server answers
// with, or what went wrong, in the order given.
// SPDX-License-Identifier: MIT
using AsyncLoop;

public static class StatusChecker
{
    public static async Task<string[]> CheckAll(IEnumerable<string> urls, TimeSpan timeout)
    {
        var checks = urls.Select(url => Loop.WaitFor(() => GetStatus(new Uri(url)), timeout));
        Outcome<string>[] outcomes = await Loop.GatherOutcomes(checks);
        return [.. outcomes.Select(o => o.Error switch
        {
            null => o.Value!,
            TimeoutException => "no answer in time",
            var error => error.Message,
        })];
    }

    private static async Task<string> GetStatus(Uri url)
    {
        await using LoopStream stream = await LoopStream.ConnectAsync(url.Host, url.Port);
        await stream.WriteTextAsync(
            $"HEAD {url.PathAndQuery} HTTP/1.1\r\nHost: {url.Host}\r\nConnection: close\r\n\r\n");
        return await stream.ReadLineAsync() ?? "closed the connection without an answer";
    }
}
