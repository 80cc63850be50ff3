// Results as they come: the first that is done is the first to be shown, whatever the order in
// which they were started.
//
// SPDX-License-Identifier: MIT
using AsyncLoop;

static class AsCompleted
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
        Task<char>[] tasks = [Work('C', 3, 'c'), Work('B', 1, 'b'), Work('A', 2, 'a')];
        await foreach (Task<char> task in Loop.AsCompleted(tasks)) Console.WriteLine(await task);
    }
}
