// A task that would run for ever is cancelled: its await throws, it cleans up and lets the
// exception pass. Another one refuses, and is not cancelled.
//
// SPDX-License-Identifier: MIT
using AsyncLoop;

static class CancelTask
{
    static async Task Spin()
    {
        try
        {
            while (true)
            {
                Console.WriteLine("spinning");
                await Loop.Sleep(1);
            }
        }
        catch (OperationCanceledException e)
        {
            Console.WriteLine($"cleaning up: {e.Message}");
            throw;
        }
    }

    static async Task<string> Refuse()
    {
        try
        {
            await Loop.Sleep(10);
        }
        catch (OperationCanceledException)
        {
            return "not now";
        }
        return "";
    }

    public static async Task Run(string[] args)
    {
        var spinner = Loop.Spawn(Spin);
        var stubborn = Loop.Spawn(Refuse);
        await Loop.Sleep(2.5);

        Console.WriteLine($"cancel: {(spinner.Cancel("enough of that") ? 1 : 0)}");
        stubborn.Cancel();
        try
        {
            await spinner;
        }
        catch (OperationCanceledException)
        {
        }
        Console.WriteLine($"spinner cancelled: {(spinner.AsTask().IsCanceled ? 1 : 0)}");
        Console.WriteLine($"once more: {(spinner.Cancel() ? 1 : 0)}");

        string answer = await stubborn;
        int cancelled = stubborn.AsTask().IsCanceled ? 1 : 0;
        Console.WriteLine($"stubborn cancelled: {cancelled}, it says '{answer}'");
    }
}
