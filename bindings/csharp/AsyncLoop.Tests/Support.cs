// What all tests share: a loop on the virtual clock, and nothing left behind it.
// SPDX-License-Identifier: MIT
using Xunit;

// The library's statistics are the process's.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace AsyncLoop.Tests;

internal static class Support
{
    internal static readonly LoopOptions Virtual = new() { Clock = LoopClock.Virtual };

    /// <summary>Runs main on the virtual clock; afterwards C holds nothing.</summary>
    internal static void Run(Func<Task> main, LoopOptions? options = null)
    {
        Loop.Run(main, options ?? Virtual);
        NothingIsLeft();
    }

    internal static void NothingIsLeft()
    {
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        for (int which = 0; Native.aloop_debug_stats_name(which) is string name; which++)
        {
            Assert.True(Native.aloop_debug_stats(which) == 0,
                $"left: {Native.aloop_debug_stats(which)} {name}");
        }
        Assert.Equal(0, Root.Count);
        Assert.Equal(0, Errors.HeldByC);
    }

    internal static double Now => Loop.Current.Time.TotalSeconds;
}
