// A task group is left when all of its tasks are done. If one fails, the others are cancelled,
// and the group fails with all errors inside.
//
// SPDX-License-Identifier: MIT
using AsyncLoop;

static class Groups
{
    static async Task Work(string name, double seconds, bool fails)
    {
        Console.WriteLine($"{name}: started");
        try
        {
            await Loop.Sleep(seconds);
        }
        catch (OperationCanceledException)
        {
            Console.WriteLine($"{name}: ALOOP_ECANCELED");
            throw;
        }
        if (fails) throw new InvalidOperationException($"{name} is broken");
        Console.WriteLine($"{name}: finished");
    }

    public static async Task Run(string[] args)
    {
        await TaskGroup.Run(group =>
        {
            group.Spawn(() => Work("A", 2, false));
            group.Spawn(() => Work("B", 1, false));
            return Task.CompletedTask;
        });
        Console.WriteLine("the first group: ALOOP_OK");
        try
        {
            await TaskGroup.Run(group =>
            {
                group.Spawn(() => Work("C", 2, false));
                group.Spawn(() => Work("D", 1, true));
                return Task.CompletedTask;
            });
        }
        catch (AggregateException group)
        {
            Console.WriteLine("the second group: ALOOP_EGROUP");
            foreach (Exception e in group.InnerExceptions) Console.WriteLine($"  {e.Message}");
        }
    }
}
