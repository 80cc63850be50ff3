// A server that answers line by line. Whoever says nothing for too long is put out; once it
// is told to stop, nobody new comes in, and those who are there may finish, for a while.
// SPDX-License-Identifier: MIT
using AsyncLoop;

public static class LineServer
{
    public static async Task Run(LoopServer server, TimeSpan silence, LoopEvent stop)
    {
        LoopTask<Nothing> serving =
            Loop.Spawn(() => server.ServeAsync(client => Answer(client, silence)));
        await stop.WaitAsync();
        try
        {
            await server.ShutDownAsync(TimeSpan.FromSeconds(5));
        }
        catch (TimeoutException late)
        {
            Console.Error.WriteLine(late.Message); // who is still there
            server.AbortClients();
        }
        await serving;
    }

    private static async Task Answer(LoopStream client, TimeSpan silence)
    {
        try
        {
            while (await Loop.WaitFor(() => client.ReadLineAsync(), silence) is string line)
            {
                await client.WriteTextAsync($"hello {line}\n");
            }
        }
        catch (TimeoutException)
        {
            await client.WriteTextAsync("too slow\n");
        }
    }
}
