// A shield takes the cancellation and leaves what is behind it alone: who awaits it is
// cancelled, the task runs to its end.
//
// SPDX-License-Identifier: MIT
using AsyncLoop;

static class Shielded
{
    static async Task<int> SimpleTask(int number)
    {
        await Loop.Sleep(1);
        return number;
    }

    static string State(Task task) =>
        task.IsCanceled ? "cancelled" : task.IsCompleted ? "finished" : "pending";

    public static async Task Run(string[] args)
    {
        Task<int> task = Loop.Spawn(() => SimpleTask(1));
        var shielded = Loop.Spawn(() => Loop.Shield(task));
        _ = Loop.Spawn(async () =>
        {
            await Loop.Sleep(0.2);
            Console.WriteLine($"cancelled: {shielded.Cancel()}");
        });
        try
        {
            Console.WriteLine($">got: {await shielded}");
        }
        catch (OperationCanceledException)
        {
            Console.WriteLine("shielded was cancelled");
        }
        await Loop.Sleep(1);
        Console.WriteLine($"shielded: {State(shielded.AsTask())}");
        Console.WriteLine($"task: {State(task)}");
        Console.WriteLine(await task);
    }
}
