// A method that blocks runs on the thread pool, and the loop goes on meanwhile.
//
// SPDX-License-Identifier: MIT
using AsyncLoop;

static class ToThread
{
    static void BlockingTask()
    {
        Console.WriteLine("Task starting");
        Thread.Sleep(500); // or anything else that blocks
        Console.WriteLine("Task done");
    }

    public static async Task Run(string[] args)
    {
        Console.WriteLine("Main running the blocking task");
        var task = Loop.Spawn(() => Task.Run(BlockingTask));
        Console.WriteLine("Main doing other things");
        await Loop.Sleep(0); // lets the task start
        await task;
    }
}
