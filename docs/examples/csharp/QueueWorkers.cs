// Twenty jobs in a queue, three workers, join, cancel: asyncio's program for queues. A job is
// a time to sleep. It takes about four seconds, or none with ASYNCLOOP_CLOCK=virtual. With a
// number as the argument: the same jobs each time.
//
// SPDX-License-Identifier: MIT
using AsyncLoop;

static class QueueWorkers
{
    // Takes jobs until it is cancelled.
    static async Task Work(string name, LoopQueue<double> queue)
    {
        while (true)
        {
            double job = await queue.GetAsync();
            await Loop.Sleep(job);
            queue.TaskDone();
            Console.WriteLine($"{name} has slept for {job:F2} seconds");
        }
    }

    public static async Task Run(string[] args)
    {
        var random = args.Length > 0 ? new Random(int.Parse(args[0])) : new Random();
        using var queue = new LoopQueue<double>();
        double total = 0;
        for (int i = 0; i < 20; i++)
        {
            double job = 0.05 + 0.95 * random.NextDouble();
            total += job;
            queue.PutNoWait(job);
        }

        var workers = new List<LoopTask<Nothing>>();
        for (int i = 0; i < 3; i++)
        {
            string name = $"worker-{i}";
            workers.Add(Loop.Spawn(() => Work(name, queue)));
        }

        // Wait until every job is done.
        TimeSpan started = Loop.Current.Time;
        await queue.JoinAsync();
        double slept = (Loop.Current.Time - started).TotalSeconds;

        foreach (var worker in workers) worker.Cancel();
        await Loop.GatherOutcomes<Nothing>([.. workers.Select(worker => worker.AsTask())]);

        Console.WriteLine("====");
        Console.WriteLine($"3 workers slept in parallel for {slept:F2} seconds");
        Console.WriteLine($"total expected sleep time: {total:F2} seconds");
    }
}
