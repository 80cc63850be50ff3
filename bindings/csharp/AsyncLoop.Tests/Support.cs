// What all tests share: a loop on the virtual clock, and nothing left behind it.
// SPDX-License-Identifier: MIT
using System.Diagnostics;
using Xunit;

// The library's statistics are the process's.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace AsyncLoop.Tests;

internal static class Support
{
    internal static readonly LoopOptions Virtual = new() { Clock = LoopClock.Virtual };

    /// <summary>
    /// When a test gives up. Nothing that works takes this long, however busy the machine is.
    /// </summary>
    internal static readonly TimeSpan Hang = TimeSpan.FromMinutes(5);

    /// <summary>Runs main on the virtual clock; afterwards C holds nothing.</summary>
    internal static void Run(Func<Task> main, LoopOptions? options = null)
    {
        Loop.Run(main, options ?? Virtual);
        NothingIsLeft();
    }

    /// <summary>
    /// Soon, that is: a thread of the pool may still be on its way out of what it did, with
    /// references to it.
    /// </summary>
    internal static void NothingIsLeft()
    {
        var waiting = Stopwatch.StartNew();
        string left;
        while ((left = Left()) != "")
        {
            Assert.True(waiting.Elapsed < Hang, "left: " + left);
            Thread.Sleep(1);
        }
    }

    private static string Left()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var left = new List<string>();
        for (int which = 0; Native.aloop_debug_stats_name(which) is string name; which++)
        {
            long n = Native.aloop_debug_stats(which);
            if (n != 0) left.Add($"{n} {name}");
        }
        if (Root.Count != 0) left.Add($"{Root.Count} roots");
        if (Errors.HeldByC != 0) left.Add($"{Errors.HeldByC} exceptions");
        return string.Join(", ", left);
    }

    internal static double Now => Loop.Current.Time.TotalSeconds;
}
