// Three tasks that sleep for 2, 1 and 3 seconds, side by side: asyncio's first program. It
// takes 3 seconds, or none with ASYNCLOOP_CLOCK=virtual.
//
// SPDX-License-Identifier: MIT
using AsyncLoop;

static class ThreeTasks
{
    static async Task<char> Work(char name, double seconds, char result)
    {
        Console.WriteLine($"{name}: started");
        await Loop.Sleep(seconds);
        Console.WriteLine($"{name}: finished");
        return result;
    }

    public static async Task Run(string[] args)
    {
        char[] results = await Loop.Gather(Work('A', 2, 'a'), Work('B', 1, 'b'), Work('C', 3, 'c'));
        Console.WriteLine($"Result: ['{string.Join("', '", results)}']");
    }
}
