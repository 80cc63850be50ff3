// Two tasks side by side: 4 and 2 seconds take 4. Spawning a task schedules it; by the time it
// is awaited it may long be done.
//
// SPDX-License-Identifier: MIT
using AsyncLoop;

static class SideBySide
{
    static async Task DelayPrint(double seconds, string name)
    {
        Console.WriteLine($">>> start {name}");
        await Loop.Sleep(seconds);
        Console.WriteLine($"<<< end   {name}");
    }

    public static async Task Run(string[] args)
    {
        Loop loop = Loop.Current;
        TimeSpan start = loop.Time;
        Console.WriteLine("Start");
        var task1 = Loop.Spawn(() => DelayPrint(4, "task1"));
        var task2 = Loop.Spawn(() => DelayPrint(2, "task2"));

        await Loop.Sleep(1);
        Console.WriteLine("All tasks are started");

        await task1;
        await task2;
        Console.WriteLine($"End   after {(loop.Time - start).TotalSeconds:F1} s");
    }
}
