// What gather makes of failures: the first one ends it, and the others go on; as outcomes,
// failures are results; and cancelling a gather cancels all.
//
// SPDX-License-Identifier: MIT
using AsyncLoop;

static class GatherErrors
{
    static async Task<string> Good(string name)
    {
        try
        {
            await Loop.Sleep(2);
        }
        catch (OperationCanceledException)
        {
            Console.WriteLine($"{name}: Cancelled");
            throw;
        }
        Console.WriteLine($"{name}: finished");
        return name;
    }

    // Any exception will do: it arrives as it is where C# awaits the task.
    static async Task<string> Bad(string name)
    {
        await Loop.Sleep(1);
        throw new InvalidOperationException($"{name} is out of order");
    }

    static async Task FirstError()
    {
        try
        {
            await Loop.Gather(Good("A"), Bad("B"));
        }
        catch (InvalidOperationException e)
        {
            Console.WriteLine($"gather failed: {e.Message}");
        }
        await Loop.Sleep(2); // A is still at work
    }

    static async Task ErrorsAsResults()
    {
        Outcome<string>[] outcomes = await Loop.GatherOutcomes(Good("C"), Bad("D"));
        for (int i = 0; i < outcomes.Length; i++)
        {
            Console.WriteLine($"{i}: {outcomes[i].Error?.Message ?? outcomes[i].Value}");
        }
    }

    static async Task CancelledGather()
    {
        var both = Loop.Spawn(() => Loop.Gather<string>(
            Loop.Spawn(() => Good("E")), Loop.Spawn(() => Good("F"))));
        await Loop.Sleep(1);
        Console.WriteLine($"cancelling: {(both.Cancel() ? 1 : 0)}");
        try
        {
            await both;
        }
        catch (OperationCanceledException)
        {
            Console.WriteLine("gather: ALOOP_ECANCELED");
        }
    }

    public static async Task Run(string[] args)
    {
        await FirstError();
        await ErrorsAsResults();
        await CancelledGather();
    }
}
