// Jobs in a queue, and workers that take them: each asks a server, over a connection of
// its own, until there are no more jobs.
// SPDX-License-Identifier: MIT
using AsyncLoop;

public static class WorkQueue
{
    public static async Task<List<string>> Run(int port, int jobs, int workers)
    {
        using var queue = new LoopQueue<string>(maxSize: 4);
        var answers = new List<string>();
        await TaskGroup.Run(async group =>
        {
            for (int i = 0; i < workers; i++)
            {
                string name = $"worker-{i}";
                _ = group.Spawn(() => Work(name, port, queue, answers), name);
            }
            for (int i = 0; i < jobs; i++) await queue.PutAsync($"job {i}");
            await queue.JoinAsync();
            queue.ShutDown();
        });
        return answers;
    }

    private static async Task Work(string name, int port, LoopQueue<string> queue,
        List<string> answers)
    {
        await using LoopStream server = await LoopStream.ConnectAsync("127.0.0.1", port);
        await foreach (string job in queue)
        {
            await server.WriteTextAsync(job + "\n");
            answers.Add($"{name}: {await server.ReadLineAsync()}");
            queue.TaskDone();
        }
    }
}
