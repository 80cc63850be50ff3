// Gives up on what takes too long: the task is cancelled and its cleanup awaited before the
// timeout is thrown.
//
// SPDX-License-Identifier: MIT
using AsyncLoop;

static class WaitFor
{
    static async Task TaskCoro()
    {
        const double seconds = 1.65;
        Console.WriteLine($">task got {seconds:F2}");
        await Loop.Sleep(seconds);
        Console.WriteLine(">task done");
    }

    public static async Task Run(string[] args)
    {
        try
        {
            await Loop.WaitFor(TaskCoro, TimeSpan.FromSeconds(0.2));
        }
        catch (TimeoutException)
        {
            Console.WriteLine("Gave up waiting, task canceled");
        }
        try
        {
            await Loop.WaitFor(() => Loop.Sleep(3600), TimeSpan.FromSeconds(1));
        }
        catch (TimeoutException)
        {
            Console.WriteLine("timeout!");
        }
    }
}
