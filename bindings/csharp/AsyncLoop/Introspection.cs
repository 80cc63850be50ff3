// What a loop is doing.
// SPDX-License-Identifier: MIT
namespace AsyncLoop;

public sealed partial class Loop
{
    /// <summary>The loop's counters, by their names in C, such as "callbacks".</summary>
    public IReadOnlyDictionary<string, long> Metrics
    {
        get
        {
            var all = new Dictionary<string, long>();
            for (int which = 0; Native.aloop_loop_metrics_name(which) is string name; which++)
            {
                all[name] = Errors.Check(Native.aloop_loop_metrics(Raw, which));
            }
            return all;
        }
    }

    /// <summary>
    /// Writes the counters and every task that has not ended, with what it waits for, to a
    /// descriptor, such as 2.
    /// </summary>
    public void Dump(int descriptor) => Errors.Check(Native.aloop_loop_dump(Raw, descriptor));

    /// <summary>Who awaits whom, from task up; in asyncio's form.</summary>
    public static unsafe string FormatCallGraph(LoopTask task)
    {
        if (task.Raw == IntPtr.Zero) return "";
        return Text.Of((buffer, size) =>
            Native.aloop_format_call_graph(task.Raw, long.MaxValue, buffer, size));
    }

    /// <summary>Debug mode: tells of slow callbacks, wrong threads and the like.</summary>
    public bool Debug
    {
        get => Errors.Check(Native.aloop_loop_get_debug(Raw)) != 0;
        set => Errors.Check(Native.aloop_loop_set_debug(Raw, value ? 1 : 0));
    }

    /// <summary>In debug mode a callback or step that takes this long is reported.</summary>
    public void SetSlowCallbackDuration(TimeSpan duration) =>
        Errors.Check(Native.aloop_loop_set_slow_callback_duration(Raw, duration.TotalSeconds));
}
